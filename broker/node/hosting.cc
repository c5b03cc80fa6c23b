#include "broker/node/hosting.h"

#include <algorithm>
#include <atomic>

#include "common/base/check.h"

namespace broker {

using wire::ErrorCode;

struct Hosting::Opening {
  PartitionName name;
  base::Uuid topic_id;
  base::LeaderEpoch leader_epoch;
  std::shared_ptr<const config::TopicConfig> config;
  std::shared_ptr<Partition> opened;  // null when it failed
  std::string error;
};

struct Hosting::Round {
  Change change;
  std::vector<std::shared_ptr<Partition>> gone;
  std::size_t removing = 0;  // still at work; home
  std::vector<Opening> openings;
  std::atomic<std::size_t> next{0};
  std::size_t openers = 0;  // still at work; home
};

struct Hosting::Shared {
  std::atomic<std::uint64_t> to_open{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> recovered_bytes{0};
  std::atomic<bool> ready{false};
};

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

Hosting::Hosting(Node& node, io::Disk& disk, LogDirectory& directory, Flusher& flusher,
                 io::Executor& home, base::Random random, Chores chores)
    : node_(node),
      disk_(disk),
      directory_(directory),
      flusher_(flusher),
      home_(home),
      random_(random),
      chores_(chores),
      shared_(std::make_shared<Shared>()) {
  directory_.health().on_failure([&diag = node.diag, path = directory.path()](const auto& error) {
    diag.error("log", "log directory is out of service until the broker is restarted",
               {{"directory", path}, {"error", error.what}});
  });
}

Hosting::~Hosting() = default;

Hosting::Progress Hosting::progress() const {
  return {.partitions_to_open = shared_->to_open,
          .partitions_open = shared_->open,
          .recovered_bytes = shared_->recovered_bytes,
          .ready = shared_->ready};
}

// ---- following the metadata

void Hosting::on_change(const meta::ImagePtr& after, const meta::Delta& delta) {
  queue_.push_back({after, delta});
  begin_next();
}

void Hosting::begin_next() {
  if (working_ || stopping_ || queue_.empty()) return;
  working_ = true;
  auto round = std::make_shared<Round>();
  round->change = std::move(queue_.front());
  queue_.pop_front();
  plan(*round);
  remove_gone(std::move(round));
}

void Hosting::plan(Round& round) {
  const auto table = node_.partitions->snapshot();
  for (const auto& [id, topic] : round.change.delta.topics) {
    if (topic.after == nullptr) continue;
    const TopicPartitions* here = table->find(id);
    const auto config = resolve(*round.change.image, *topic.after);
    for (std::size_t i = 0; i < topic.after->partitions.size(); ++i) {
      const meta::Partition& partition = topic.after->partitions[i];
      if (std::ranges::find(partition.replicas, node_.broker_id) == partition.replicas.end()) {
        continue;
      }
      if (here != nullptr && i < here->partitions.size() && here->partitions[i] != nullptr) {
        continue;
      }
      round.openings.push_back({.name = {topic.after->name, static_cast<std::int32_t>(i)},
                                .topic_id = id,
                                .leader_epoch = partition.leader_epoch,
                                .config = config});
    }
  }
  shared_->to_open += round.openings.size();
  for (const auto& [id, topic] : round.change.delta.topics) {
    const TopicPartitions* here = topic.after == nullptr ? table->find(id) : nullptr;
    if (here == nullptr) continue;
    for (const auto& partition : here->partitions) {
      if (partition != nullptr) round.gone.push_back(partition);
    }
  }
}

// What is gone leaves the disk before anything of the same name is made.
void Hosting::remove_gone(std::shared_ptr<Round> round) {
  if (round->gone.empty()) return open_all(std::move(round));
  round->removing = round->gone.size();
  for (const auto& partition : round->gone) {
    partition->close(ErrorCode::kUnknownTopicOrPartition);
    partition->when_quiet(home_, [this, partition, round] { remove_one(partition, round); });
  }
}

void Hosting::remove_one(std::shared_ptr<Partition> partition, std::shared_ptr<Round> round) {
  auto trash = std::make_shared<io::IoResult<std::string>>();
  home_.blocking(
      [this, partition, trash,
       random = random_.split(partition->name().to_string() +
                              partition->topic_id().to_string())]() mutable {
        *trash = directory_.delete_partition(partition->name(), random);
      },
      [this, partition, trash, round] {
        if (*trash) {
          remove_later({.directory = **trash, .renames = {}, .files = {}},
                       partition->config()->file_delete_delay_ms);
        } else {
          node_.diag.error(
              "log", "a deleted partition's directory could not be taken away",
              {{"partition", partition->name().to_string()}, {"error", trash->error().what}});
        }
        if (--round->removing == 0) open_all(round);
      });
}

void Hosting::open_all(std::shared_ptr<Round> round) {
  if (round->openings.empty()) return publish(std::move(round));
  round->openers = std::min(chores_.openers, round->openings.size());
  for (std::size_t i = 0; i < round->openers; ++i) {
    home_.blocking(
        [this, round] {
          for (;;) {
            const std::size_t at = round->next++;
            if (at >= round->openings.size()) return;
            open_one(round->openings[at]);
          }
        },
        [this, round] {
          if (--round->openers == 0) publish(round);
        });
  }
}

void Hosting::open_one(Opening& opening) {
  const std::string path = directory_.partition_path(opening.name);
  const base::WallMs now = node_.clock.wall_ms();
  std::unique_ptr<Log> log;
  bool exists = disk_.exists(path);
  if (exists) {
    auto opened = directory_.open_partition(opening.name, log_config(*opening.config), now);
    if (!opened) {
      opening.error = opened.error().what;
      return;
    }
    const auto found = opened->log->topic_id();
    if (found && *found != opening.topic_id) {
      opened->log.reset();
      const std::string aside = path + "." + found->to_string() + "-stray";
      node_.diag.warn("log", "a directory of another topic of this name is set aside",
                      {{"directory", path}, {"to", aside}});
      auto moved = disk_.rename(path, aside);
      if (moved) moved = disk_.sync_directory(directory_.path());
      if (!moved) {
        opening.error = moved.error().what;
        return;
      }
      exists = false;
    } else {
      if (!found) {
        // Copied in from elsewhere: from now on it belongs to this topic.
        auto adopted =
            disk_.replace_file(path + "/partition.metadata",
                               "version: 0\ntopic_id: " + opening.topic_id.to_string() + "\n");
        if (!adopted) {
          opening.error = adopted.error().what;
          return;
        }
      }
      shared_->recovered_bytes += opened->report.scanned_bytes;
      if (opened->report.truncated_bytes > 0 || opened->report.removed_segments > 0) {
        node_.diag.warn("log", "recovery cut off what was not known to be durable",
                        {{"partition", opening.name.to_string()},
                         {"truncated_bytes", std::to_string(opened->report.truncated_bytes)},
                         {"removed_segments", std::to_string(opened->report.removed_segments)},
                         {"why", opened->report.why}});
      }
      log = std::move(opened->log);
    }
  }
  if (!exists) {
    auto made = directory_.create_partition(opening.name, opening.topic_id,
                                            log_config(*opening.config), now);
    if (!made) {
      opening.error = made.error().what;
      return;
    }
    log = std::move(*made);
  }
  opening.opened = std::make_shared<Partition>(
      Partition::Identity{opening.name.topic, opening.topic_id, opening.name.partition},
      std::move(log), opening.config, opening.leader_epoch, flusher_);
  ++shared_->open;
}

void Hosting::publish(std::shared_ptr<Round> round) {
  const auto before = node_.partitions->snapshot();
  auto after = std::make_shared<PartitionTable::Snapshot>(*before);
  // Deleted ones first: a topic made anew under the same name must win.
  for (const auto& [id, topic] : round->change.delta.topics) {
    if (topic.after != nullptr) continue;
    const auto found = after->by_id.find(id);
    if (found == after->by_id.end()) continue;
    const auto gone = found->second;
    after->by_id.erase(found);
    const auto named = after->by_name.find(gone->name);
    if (named != after->by_name.end() && named->second->id == id) after->by_name.erase(named);
  }
  std::map<base::Uuid, std::shared_ptr<TopicPartitions>> changed;
  for (const auto& [id, topic] : round->change.delta.topics) {
    if (topic.after == nullptr) continue;
    const TopicPartitions* old = before->find(id);
    auto next = old != nullptr ? std::make_shared<TopicPartitions>(*old)
                               : std::make_shared<TopicPartitions>();
    next->name = topic.after->name;
    next->id = id;
    next->partitions.resize(topic.after->partitions.size());
    changed.emplace(id, std::move(next));
  }
  for (auto& opening : round->openings) {
    if (opening.opened == nullptr) {
      node_.diag.error("log", "a partition cannot be served",
                       {{"partition", opening.name.to_string()}, {"error", opening.error}});
      continue;
    }
    changed.at(opening.topic_id)->partitions[static_cast<std::size_t>(opening.name.partition)] =
        opening.opened;
  }
  for (auto& [id, topic] : changed) {
    after->by_id[id] = topic;
    after->by_name[topic->name] = topic;
  }
  node_.partitions->replace(std::move(after));
  apply_configs(round->change);
  applied_ = round->change.image->offset();
  shared_->ready = true;
  wake_waiters();
  working_ = false;
  begin_next();
}

std::shared_ptr<const config::TopicConfig> Hosting::resolve(const meta::Image& image,
                                                            const meta::Topic& topic) const {
  const config::BrokerLayers layers{.broker = &image.broker_configs(node_.broker_id),
                                    .cluster = &image.cluster_configs(),
                                    .given = &node_.config.given};
  return std::make_shared<const config::TopicConfig>(
      config::TopicConfig::resolve(topic.configs, layers));
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
    for (const auto& [name, topic] : change.image->topics()) apply(*topic);
    return;
  }
  for (const auto& [id, topic] : change.delta.topics) {
    if (topic.after != nullptr && topic.configs_changed) apply(*topic.after);
  }
}

// ---- waiting for the metadata

void Hosting::when_applied(base::Offset offset, io::Executor& back, io::Executor::Work work) {
  home_.post([this, offset, &back, work = std::move(work)]() mutable {
    if (offset <= applied_ || stopping_) return back.post(std::move(work));
    waiters_.emplace(offset, Waiter{&back, std::move(work)});
  });
}

void Hosting::wake_waiters() {
  while (!waiters_.empty() && (waiters_.begin()->first <= applied_ || stopping_)) {
    auto waiter = std::move(waiters_.begin()->second);
    waiters_.erase(waiters_.begin());
    waiter.back->post(std::move(waiter.work));
  }
}

// ---- the end

void Hosting::stop(std::move_only_function<void()> done) {
  stopping_ = true;
  checkpoint_timer_.cancel();
  retention_timer_.cancel();
  removals_.clear();
  wake_waiters();
  auto partitions = std::make_shared<std::vector<std::shared_ptr<Partition>>>(all_partitions());
  for (const auto& partition : *partitions) partition->close(ErrorCode::kNotLeaderOrFollower);
  home_.blocking(
      [this, partitions] {
        bool clean = !directory_.failed();
        for (const auto& partition : *partitions) {
          if (auto closed = partition->close_log(); !closed) {
            clean = false;
            node_.diag.error(
                "log", "a log could not be closed",
                {{"partition", partition->name().to_string()}, {"error", closed.error().what}});
            continue;
          }
          const auto end = partition->bounds();
          directory_.note_recovery_point(partition->name(), end.end);
          directory_.note_start(partition->name(), end.start);
          directory_.note_high_watermark(partition->name(), end.end);
        }
        if (!clean) return;
        if (auto closed = directory_.close_clean(base::BrokerEpoch(-1)); !closed) {
          node_.diag.error("log", "the clean-shutdown marker could not be written",
                           {{"error", closed.error().what}});
        }
      },
      [done = std::move(done)]() mutable { done(); });
}

}  // namespace broker
