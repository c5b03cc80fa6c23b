#include "broker/node/directory_watch.h"

#include <algorithm>
#include <optional>

#include "broker/node/partition.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace broker {
namespace {

constexpr base::Duration kTryFirst = std::chrono::seconds(1);
constexpr base::Duration kTryMost = std::chrono::seconds(10);
// Full again within this time: there was not much space.
constexpr base::Duration kRelapse = std::chrono::seconds(60);
// In one heartbeat; the next one tells more.
constexpr int kPlacementsMax = 1000;

}  // namespace

DirectoryWatch::DirectoryWatch(Node& node, LogDirectories& directories, io::Executor& home,
                               std::function<void()> tell)
    : node_(node),
      directories_(directories),
      home_(home),
      tell_(std::move(tell)),
      alive_(std::make_shared<bool>(true)),
      try_timer_([this] { try_space(); }),
      try_every_(kTryFirst) {
  listen();
}

DirectoryWatch::~DirectoryWatch() { *alive_ = false; }

void DirectoryWatch::stop() {
  *alive_ = false;
  try_timer_.cancel();
}

// Whoever saw it may hold a partition's lock.
void DirectoryWatch::listen() {
  for (const auto& store : directories_.all()) {
    LogHealth& health = store->directory->health();
    health.on_failure([this, alive = alive_, &home = home_](const io::IoError&) {
      home.post([this, alive] {
        if (*alive) tell_();
      });
    });
    health.on_full([this, alive = alive_, &home = home_] {
      home.post([this, alive] {
        if (*alive) on_full();
      });
    });
  }
}

// ---- where replicas are

void DirectoryWatch::on_applied(const meta::Image& after, const meta::Delta& delta) {
  if (directories_.all().size() + directories_.unreadable().size() < 2) return;
  const auto table = node_.partitions->snapshot();
  for (const auto& [id, change] : delta.topics) {
    const meta::Topic* topic = after.topic(id);
    const TopicPartitions* here = table->find(id);
    if (topic == nullptr || here == nullptr) {
      std::erase_if(untold_, [&](const auto& replica) { return replica.first.first == id; });
      continue;
    }
    // Partitions may have been opened late.
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      compare(*topic, *here, static_cast<std::int32_t>(i));
    }
  }
  if (!untold_.empty()) tell_();
}

void DirectoryWatch::on_moved(const Partition& partition) {
  if (!*alive_) return;
  untold_[{partition.topic_id(), partition.index()}] = partition.directory_id();
  tell_();
}

void DirectoryWatch::compare(const meta::Topic& topic, const TopicPartitions& here,
                             std::int32_t index) {
  const auto at = static_cast<std::size_t>(index);
  const Partition* partition = at < here.partitions.size() ? here.partitions[at].get() : nullptr;
  const meta::Partition& state = topic.partitions[at];
  std::optional<base::Uuid> is_in;
  if (partition != nullptr) {
    is_in = partition->directory_id();
  } else if (std::ranges::find(state.replicas, node_.broker_id) != state.replicas.end()) {
    // Not served here: whoever else is in sync must lead.
    const LogStore* lost = directories_.lost_with({topic.name, index});
    if (lost != nullptr) is_in = lost->id();
  }
  const base::Uuid* told = meta::directory_of(node_.broker_id, state.directories);
  if (is_in && (told == nullptr || *told != *is_in)) {
    untold_[{topic.id, index}] = *is_in;
  } else {
    untold_.erase({topic.id, index});
  }
}

void DirectoryWatch::describe(proto::HeartbeatRequest& request) {
  for (const base::Uuid& id : directories_.failed_ids()) {
    meta::to_proto(id, request.add_failed_directory_ids());
  }
  for (const base::Uuid& id : directories_.full_ids()) {
    meta::to_proto(id, request.add_full_directory_ids());
  }
  for (const auto& [replica, directory] : untold_) {
    if (request.placements_size() >= kPlacementsMax) return;
    auto* placement = request.add_placements();
    meta::to_proto(replica.first, placement->mutable_topic_id());
    placement->set_partition(replica.second);
    meta::to_proto(directory, placement->mutable_directory_id());
  }
}

// ---- full disks

void DirectoryWatch::on_full() {
  const bool relapse = had_space_ != base::Instant{} && home_.now() - had_space_ < kRelapse;
  if (!trying_) try_every_ = relapse ? std::min(2 * try_every_, kTryMost) : kTryFirst;
  for (const auto& store : directories_.all()) {
    if (!store->directory->health().full()) continue;
    node_.diag.warn("log", "a log directory is full: other brokers lead in its place if they can",
                    {{"directory", store->directory->path()}});
  }
  tell_();
  rest();
}

void DirectoryWatch::rest() {
  if (trying_ || directories_.full_ids().empty()) return;
  home_.timers().set(try_timer_, home_.now() + try_every_);
}

void DirectoryWatch::try_space() {
  trying_ = true;
  const auto before = directories_.full_ids();
  home_.blocking(
      [this] {
        for (const auto& store : directories_.all()) {
          if (store->directory->health().full() && !store->failed()) store->directory->try_space();
        }
      },
      [this, alive = alive_, before] {
        if (!*alive) return;
        trying_ = false;
        const auto after = directories_.full_ids();
        if (after != before) {
          had_space_ = home_.now();
          node_.diag.info("log", "there is space again in a log directory", {});
          tell_();
        }
        rest();
      });
}

}  // namespace broker
