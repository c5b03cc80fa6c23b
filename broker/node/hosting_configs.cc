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
  Cleaner::Options options = broker::cleaner_options(config::CleanerConfig::resolve(layers));
  // What is for the whole broker is shared out.
  options.dedupe_bytes /= directories_.all().size();
  options.io_bytes_per_second /= static_cast<double>(directories_.all().size());
  return options;
}

Cleaner::Stats Hosting::cleaner_stats() const {
  Cleaner::Stats sum;
  for (const auto& cleaner : cleaners_) {
    Cleaner::Stats one = cleaner->stats();
    sum.rounds += one.rounds;
    sum.failures += one.failures;
    sum.running += one.running;
    sum.bytes_read += one.bytes_read;
    sum.bytes_written += one.bytes_written;
    sum.records_read += one.records_read;
    sum.records_kept += one.records_kept;
    sum.dirty_ratio_max = std::max(sum.dirty_ratio_max, one.dirty_ratio_max);
    sum.key_map_load = std::max(sum.key_map_load, one.key_map_load);
    sum.overdue_ms_max = std::max(sum.overdue_ms_max, one.overdue_ms_max);
    std::ranges::move(one.uncleanable, std::back_inserter(sum.uncleanable));
  }
  return sum;
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
    for (const auto& cleaner : cleaners_) cleaner->set_options(cleaner_options());
    for (const auto& [name, topic] : change.image->topics()) apply(*topic);
    return;
  }
  for (const auto& [id, topic] : change.delta.topics) {
    if (topic.after != nullptr && topic.configs_changed) apply(*topic.after);
  }
}

}  // namespace broker
