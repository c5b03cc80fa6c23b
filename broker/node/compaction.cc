#include "broker/node/compaction.h"

#include <algorithm>

namespace broker {
namespace {

class CleanablePartition final : public CleanableLog {
 public:
  explicit CleanablePartition(std::shared_ptr<Partition> partition)
      : partition_(std::move(partition)) {}

  PartitionName name() const override { return partition_->name(); }
  Policy policy() override {
    const auto config = partition_->config();
    return {.compacts = config->compacts,
            .limits = {.dirty_ratio_min = config->min_cleanable_dirty_ratio,
                       .min_lag_ms = config->min_compaction_lag_ms,
                       .max_lag_ms = config->max_compaction_lag_ms},
            .delete_retention_ms = config->delete_retention_ms,
            .segment_bytes = static_cast<std::uint64_t>(config->segment_bytes),
            .index_interval_bytes = static_cast<std::uint32_t>(config->index_interval_bytes)};
  }
  base::Offset stable_end() override { return partition_->bounds().last_stable; }
  void with_log(const std::function<void(Log&)>& use) override { partition_->with_log(use); }

 private:
  const std::shared_ptr<Partition> partition_;
};

}  // namespace

std::vector<std::shared_ptr<CleanableLog>> cleanable_logs(
    const std::vector<std::shared_ptr<Partition>>& partitions) {
  std::vector<std::shared_ptr<CleanableLog>> logs;
  logs.reserve(partitions.size());
  for (const auto& partition : partitions) {
    logs.push_back(std::make_shared<CleanablePartition>(partition));
  }
  return logs;
}

Cleaner::Options cleaner_options(const config::CleanerConfig& config) {
  Cleaner::Options options;
  options.threads = static_cast<std::size_t>(config.enable ? config.threads : 0);
  options.dedupe_bytes = static_cast<std::uint64_t>(config.dedupe_buffer_bytes);
  options.load_max = config.buffer_load_factor;
  options.io_bytes_per_second = config.io_bytes_per_second_max;
  // Not in a circle when there is nothing to do.
  options.backoff = std::max(base::Duration(std::chrono::milliseconds(config.backoff_ms)),
                             base::Duration(std::chrono::milliseconds(100)));
  return options;
}

}  // namespace broker
