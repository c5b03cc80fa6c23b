// What a topic's configuration means to its partitions here.
#include <algorithm>

#include "broker/node/compaction.h"
#include "broker/node/hosting.h"

namespace broker {

LogConfig log_config(const config::TopicConfig& config) {
  LogConfig out;
  out.segment_bytes = static_cast<std::uint64_t>(config.segment_bytes);
  out.segment_ms = config.segment_ms;
  out.segment_jitter_ms = config.segment_jitter_ms;
  out.segment_index_bytes = static_cast<std::uint32_t>(config.segment_index_bytes);
  out.index_interval_bytes = static_cast<std::uint32_t>(config.index_interval_bytes);
  out.retention_ms = config.retention_ms;
  out.retention_bytes = config.retention_bytes;
  out.file_delete_delay_ms = config.file_delete_delay_ms;
  out.max_compaction_lag_ms = config.max_compaction_lag_ms;
  out.producer_id_expiration_ms = config.producer_id_expiration_ms;
  out.deletes = config.deletes;
  out.compacted = config.compacts;
  return out;
}

std::shared_ptr<const config::TopicConfig> Hosting::resolve(const meta::Image& image,
                                                            const meta::Topic& topic) const {
  const config::BrokerLayers layers{.broker = &image.broker_configs(node_.broker_id),
                                    .cluster = &image.cluster_configs(),
                                    .given = &node_.config.given};
  return std::make_shared<const config::TopicConfig>(
      config::TopicConfig::resolve(topic.configs, layers));
}

Cleaner::Options Hosting::cleaner_options() const {
  const config::BrokerLayers layers{.broker = &image_->broker_configs(node_.broker_id),
                                    .cluster = &image_->cluster_configs(),
                                    .given = &node_.config.given};
  return broker::cleaner_options(config::CleanerConfig::resolve(layers));
}

void Hosting::apply_configs(const Change& change) {
  const auto table = node_.partitions->snapshot();
  const auto apply = [&](const meta::Topic& topic) {
    const TopicPartitions* here = table->find(topic.id);
    if (here == nullptr) return;
    const auto config = resolve(*change.image, topic);
    for (const auto& partition : here->partitions) {
      if (partition != nullptr) partition->set_config(config, log_config(*config));
    }
  };
  if (!change.delta.broker_configs.empty()) {
    node_.throttles.set(
        config::ThrottleRates::resolve({.broker = &change.image->broker_configs(node_.broker_id),
                                        .cluster = &change.image->cluster_configs(),
                                        .given = &node_.config.given}));
    if (cleaner_) cleaner_->set_options(cleaner_options());
    for (const auto& [name, topic] : change.image->topics()) apply(*topic);
    return;
  }
  for (const auto& [id, topic] : change.delta.topics) {
    if (topic.after != nullptr && topic.configs_changed) apply(*topic.after);
  }
}

}  // namespace broker
