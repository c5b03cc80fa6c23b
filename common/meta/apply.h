// The only mutator of cluster metadata: records in, next image out. The controller and every broker
// run this same code over the same log, so equal offsets mean equal images.
//
// A batch that does not fit the image (an unknown topic, a record kind of a newer release) is an
// error with a message: the log is damaged or too new, and the caller stops following it.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/meta/delta.h"
#include "common/meta/image.h"
#include "proto/records.pb.h"

namespace meta {

template <class T>
using ApplyResult = std::expected<T, std::string>;

struct Step {
  ImagePtr image;
  Delta delta;
};

// Collects the records of one batch on top of an image.
class Builder {
 public:
  // `offset` and `epoch`: of the entry whose records follow.
  Builder(ImagePtr base, base::Offset offset, std::int64_t epoch);

  ApplyResult<void> apply(const proto::Record& record);
  Step finish();

 private:
  ApplyResult<void> apply_cluster(const proto::ClusterRecord& record);
  ApplyResult<void> apply_broker(const proto::BrokerRecord& record);
  ApplyResult<void> apply_broker_change(const proto::BrokerChangeRecord& record);
  ApplyResult<void> apply_remove_broker(const proto::RemoveBrokerRecord& record);
  ApplyResult<void> apply_topic(const proto::TopicRecord& record);
  ApplyResult<void> apply_partition(const proto::PartitionRecord& record);
  ApplyResult<void> apply_partition_change(const proto::PartitionChangeRecord& record);
  ApplyResult<void> apply_remove_topic(const proto::RemoveTopicRecord& record);
  ApplyResult<void> apply_config(const proto::ConfigRecord& record);
  ApplyResult<void> apply_feature(const proto::FeatureRecord& record);
  ApplyResult<void> apply_replica_directories(const proto::ReplicaDirectoriesRecord& record);
  ApplyResult<void> apply_producer_ids(const proto::ProducerIdsRecord& record);

  // The topic, copied once per batch so that it can be changed; null when unknown.
  Topic* change_topic(base::Uuid id);
  // A map of overrides under one resource name, copied once per batch.
  Configs& change_configs(std::map<std::string, std::shared_ptr<Configs>>& changed,
                          const Image::ConfigMap& base, const std::string& name);

  ImagePtr base_;
  std::shared_ptr<Image> next_;
  Delta delta_;
  std::map<base::Uuid, std::shared_ptr<Topic>> topics_;  // changed or new; null: removed
  std::map<std::string, std::shared_ptr<Configs>> broker_configs_;
  std::map<std::string, std::shared_ptr<Configs>> group_configs_;
  std::optional<Features> features_;
};

// One entry of the log: a serialized proto::RecordBatch (empty bytes: no records).
ApplyResult<Step> apply_entry(const ImagePtr& base, base::Offset offset, std::int64_t epoch,
                              std::string_view batch);

// The image that a snapshot holds, and the snapshot of an image. Equal images give equal bytes.
ApplyResult<ImagePtr> from_snapshot(const proto::Snapshot& snapshot);
proto::Snapshot to_snapshot(const Image& image);

base::Uuid from_proto(const proto::Uuid& id);
void to_proto(base::Uuid id, proto::Uuid* out);

}  // namespace meta
