// An administrator: makes the topics of a run, deletes records, samples offsets, and makes and
// deletes one topic over and over under the same name.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "common/wire/msg/metadata_response.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

struct TopicSpec {
  std::string name;
  std::int32_t partitions = 1;
  std::map<std::string, std::string> configs;
};

class Administrator {
 public:
  Administrator(Facts& facts, const std::string& name, std::vector<TopicSpec> topics);

  // Makes the topics, and tries until they are there.
  void create_all();
  bool created() const { return created_; }
  // From now on does one of its things every now and then, until pause().
  void start_meddling();
  void pause() { meddling_ = false; }
  // One DeleteRecords up to a random offset that is known to be there.
  void delete_records(const std::string& topic, std::int32_t partition);
  void delete_records_to(const std::string& topic, std::int32_t partition, std::int64_t offset);
  std::uint64_t done() const { return done_; }
  bool idle() const { return client_.idle(); }

 private:
  void look_whether_created();
  void meddle();
  void sample_offsets(const std::string& topic, std::int32_t partition, bool latest);
  void churn();
  void churn_found(const wire::MetadataResponse& response);
  void create_churned();
  void delete_churned(const base::Uuid& id);
  void produce_to_churned(const base::Uuid& id);

  Facts& facts_;
  base::Random random_;
  KafkaClient client_;
  const std::vector<TopicSpec> topics_;
  bool created_ = false;
  bool meddling_ = false;
  std::uint64_t done_ = 0;
  // Of the topic that comes and goes.
  std::set<base::Uuid> to_be_deleted_;
  std::set<base::Uuid> deleted_;  // acknowledged
  base::Uuid current_;            // created, acknowledged, and nobody asked to delete it; or zero
};

}  // namespace sim
