// The work of one change of the metadata, for hosting*.cc only.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/node/hosting.h"

namespace broker {

struct Hosting::Opening {
  PartitionName name;
  base::Uuid topic_id;
  std::optional<base::Uuid> told;  // the directory that has it, as the metadata knows
  LogStore* wanted = nullptr;      // where to make it if it is not there; null: anywhere
  PartitionRole role;
  std::shared_ptr<const config::TopicConfig> config;
  std::shared_ptr<Partition> opened;  // null when it failed
  std::string error;
  bool full_disk = false;  // it failed for that: worth trying again

  void fail(const io::IoError& why) {
    error = why.what;
    full_disk = is_full_disk(why);
  }
};

struct Hosting::Round {
  Change change;
  std::vector<std::shared_ptr<Partition>> gone;   // of deleted topics
  std::vector<std::shared_ptr<Partition>> moved;  // to other brokers
  std::size_t removing = 0;                       // still at work; home
  std::vector<Opening> openings;
  std::atomic<std::size_t> next{0};
  std::size_t openers = 0;  // still at work; home
  bool together = false;    // new ones wait for one sync
  std::atomic<bool> created{false};
};

struct Hosting::Shared {
  std::atomic<std::uint64_t> to_open{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> recovered_bytes{0};
  std::atomic<bool> ready{false};
};

}  // namespace broker
