// The controller's decisions: a request and the image in force give records and a reply. Pure;
// nothing changes here. The caller appends the records as one batch of the metadata log, applies
// them, and sends the reply (with the entry's offset) once they are committed.
//
// Errors and their order follow Apache Kafka's controller, as clients and their tests look at them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/meta/image.h"
#include "common/wire/error_code.h"
#include "controller/cluster/config_rules.h"
#include "proto/controller.pb.h"
#include "proto/records.pb.h"

namespace controller::cluster {

// Kafka's bound on one request; more is POLICY_VIOLATION.
inline constexpr std::int64_t kPartitionsPerRequestMax = 10'000;
inline constexpr std::int32_t kProducerIdBlock = 1000;
inline constexpr int kListenersMax = 64;

struct Settings {
  std::int32_t default_partitions = 1;
  std::int16_t default_replication_factor = 0;  // 0: min(3, live brokers)
  ConfigRules config_rules;
};

template <class Reply>
struct Decision {
  std::vector<proto::Record> records;  // none: nothing changes
  Reply reply;
};

// What a new cluster's log begins with.
std::vector<proto::Record> bootstrap(base::Uuid cluster_id);

Decision<proto::CreateTopicsReply> create_topics(const proto::CreateTopicsRequest& request,
                                                 const meta::Image& image, const Settings& settings,
                                                 base::Random& random);
Decision<proto::DeleteTopicsReply> delete_topics(const proto::DeleteTopicsRequest& request,
                                                 const meta::Image& image);
Decision<proto::CreatePartitionsReply> create_partitions(
    const proto::CreatePartitionsRequest& request, const meta::Image& image, base::Random& random);
Decision<proto::AlterConfigsReply> incremental_alter_configs(
    const proto::IncrementalAlterConfigsRequest& request, const meta::Image& image,
    const Settings& settings);
Decision<proto::AlterConfigsReply> alter_configs(const proto::AlterConfigsRequest& request,
                                                 const meta::Image& image,
                                                 const Settings& settings);
Decision<proto::UpdateFeaturesReply> update_features(const proto::UpdateFeaturesRequest& request,
                                                     const meta::Image& image);
Decision<proto::AllocateProducerIdsReply> allocate_producer_ids(
    const proto::AllocateProducerIdsRequest& request, const meta::Image& image);
Decision<proto::RegisterBrokerReply> register_broker(const proto::RegisterBrokerRequest& request,
                                                     const meta::Image& image);

}  // namespace controller::cluster
