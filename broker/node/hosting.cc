#include "broker/node/hosting.h"

#include <algorithm>
#include <atomic>

#include "broker/node/isr_change_sink.h"
#include "broker/node/registrar.h"
#include "common/base/check.h"

namespace broker {

using wire::ErrorCode;

struct Hosting::Opening {
  PartitionName name;
  base::Uuid topic_id;
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
  reopen_timer_.on_fire([this] { reopen(); });
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
  apply_live(round.change);
  const auto table = node_.partitions->snapshot();
  for (const auto& [id, topic] : round.change.delta.topics) {
    if (topic.after != nullptr) {
      plan_topic(round, topic);
      continue;
    }
    const TopicPartitions* here = table->find(id);
    if (here == nullptr) continue;
    for (const auto& partition : here->partitions) {
      if (partition != nullptr) round.gone.push_back(partition);
    }
  }
  shared_->to_open += round.openings.size();
}

void Hosting::plan_topic(Round& round, const meta::TopicDelta& topic) {
  const auto table = node_.partitions->snapshot();
  const TopicPartitions* here = table->find(topic.after->id);
  const auto config = resolve(*round.change.image, *topic.after);
  for (std::size_t i = 0; i < topic.after->partitions.size(); ++i) {
    const meta::Partition& state = topic.after->partitions[i];
    const bool is_open = here != nullptr && i < here->partitions.size() && here->partitions[i];
    const bool is_ours = std::ranges::find(state.replicas, node_.broker_id) != state.replicas.end();
    if (!is_ours) {
      if (is_open) round.moved.push_back(here->partitions[i]);
      continue;
    }
    PartitionRole role{.leader = state.leader,
                       .set = {.leader_epoch = state.leader_epoch,
                               .partition_epoch = state.partition_epoch,
                               .replicas = state.replicas,
                               .isr = state.isr},
                       .live = live_};
    if (is_open) {
      here->partitions[i]->become(std::move(role), home_.now());
      continue;
    }
    round.openings.push_back({.name = {topic.after->name, static_cast<std::int32_t>(i)},
                              .topic_id = topic.after->id,
                              .role = std::move(role),
                              .config = config});
  }
}

// Before any role of the same change: who may join an ISR now.
void Hosting::apply_live(const Change& change) {
  if (live_ != nullptr && change.delta.brokers.empty() && !change.delta.from_snapshot) return;
  auto live = std::make_shared<LiveBrokers>();
  for (const auto& [id, broker] : change.image->brokers()) {
    if (broker->live()) live->emplace(id, broker->epoch);
  }
  if (live_ != nullptr && *live == *live_) return;
  live_ = std::move(live);
  for (const auto& partition : all_partitions()) partition->set_live(live_);
}

// What is gone leaves the disk before anything of the same name is made.
void Hosting::remove_gone(std::shared_ptr<Round> round) {
  round->removing = round->gone.size() + round->moved.size();
  if (round->removing == 0) return open_all(std::move(round));
  const auto remove = [&](const std::shared_ptr<Partition>& partition, ErrorCode why) {
    partition->close(why);
    partition->when_quiet(home_, [this, partition, round] { remove_one(partition, round); });
  };
  for (const auto& each : round->gone) remove(each, ErrorCode::kUnknownTopicOrPartition);
  for (const auto& each : round->moved) remove(each, ErrorCode::kNotLeaderOrFollower);
}

void Hosting::remove_one(std::shared_ptr<Partition> partition, std::shared_ptr<Round> round) {
  auto trash = std::make_shared<io::IoResult<std::string>>();
  home_.blocking(
      [this, partition, trash,
       random = random_.split(partition->name().to_string() +
                              partition->topic_id().to_string())]() mutable {
        // Nothing may be renamed here once another partition has the name.
        partition->with_log([](Log& log) { log.stop_compaction(); });
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
  round->together = round->openings.size() >= chores_.sync_together_from;
  for (std::size_t i = 0; i < round->openers; ++i) {
    home_.blocking(
        [this, round] {
          for (;;) {
            const std::size_t at = round->next++;
            if (at >= round->openings.size()) return;
            open_one(*round, round->openings[at]);
          }
        },
        [this, round] {
          if (--round->openers == 0) sync_created(round);
        });
  }
}

// Nothing is appended to what was just made before its directory is durable. If that fails, nothing
// of this directory is served any more.
void Hosting::sync_created(std::shared_ptr<Round> round) {
  if (!round->together || !round->created) return publish(std::move(round));
  home_.blocking([this] { (void)directory_.sync_created(); }, [this, round] { publish(round); });
}

void Hosting::open_one(Round& round, Opening& opening) {
  const std::string path = directory_.partition_path(opening.name);
  const base::WallMs now = node_.clock.wall_ms();
  std::unique_ptr<Log> log;
  bool exists = disk_.exists(path);
  if (exists) {
    auto opened = directory_.open_partition(opening.name, log_config(*opening.config), now);
    if (!opened) return opening.fail(opened.error());
    const auto found = opened->log->topic_id();
    if (found && *found != opening.topic_id) {
      opened->log.reset();
      const std::string aside = path + "." + found->to_string() + "-stray";
      node_.diag.warn("log", "a directory of another topic of this name is set aside",
                      {{"directory", path}, {"to", aside}});
      auto moved = disk_.rename(path, aside);
      if (moved) moved = disk_.sync_directory(directory_.path());
      if (!moved) return opening.fail(moved.error());
      exists = false;
    } else {
      if (!found) {
        // Copied in from elsewhere: from now on it belongs to this topic.
        auto adopted =
            disk_.replace_file(path + "/partition.metadata",
                               "version: 0\ntopic_id: " + opening.topic_id.to_string() + "\n");
        if (!adopted) return opening.fail(adopted.error());
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
    auto made = directory_.create_partition(
        opening.name, opening.topic_id, log_config(*opening.config), now,
        round.together ? LogDirectory::Durable::kLater : LogDirectory::Durable::kNow);
    if (!made) return opening.fail(made.error());
    log = std::move(*made);
    round.created = true;
  }
  const auto known = directory_.high_watermark_of(opening.name);
  opening.opened = std::make_shared<Partition>(
      Partition::Identity{opening.name.topic, opening.topic_id, opening.name.partition},
      std::move(log), opening.config, replica_services(), known.value_or(base::Offset(0)));
  ++shared_->open;
}

ReplicaServices Hosting::replica_services() {
  return {.self = node_.broker_id,
          .flusher = flusher_,
          .directory = &directory_,
          .clock = &node_.clock,
          .diag = &node_.diag,
          .lag_max = std::chrono::milliseconds(node_.config.replica_lag_time_max_ms),
          .isr_change_wanted = [&node = node_](std::shared_ptr<Partition> partition) {
            if (node.isr_changes != nullptr) {
              node.isr_changes->isr_change_wanted(std::move(partition));
            }
          }};
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
  for (const auto& moved : round->moved) {
    auto& partitions = changed.at(moved->topic_id())->partitions;
    partitions[static_cast<std::size_t>(moved->index())] = nullptr;
  }
  for (auto& opening : round->openings) {
    if (opening.opened == nullptr) {
      node_.diag.error("log", "a partition cannot be served",
                       {{"partition", opening.name.to_string()}, {"error", opening.error}});
      if (opening.full_disk) {
        unopened_.insert(opening.topic_id);
        --shared_->to_open;
      }
      continue;
    }
    opening.opened->become(std::move(opening.role), home_.now());
    changed.at(opening.topic_id)->partitions[static_cast<std::size_t>(opening.name.partition)] =
        opening.opened;
  }
  for (auto& [id, topic] : changed) {
    after->by_id[id] = topic;
    after->by_name[topic->name] = topic;
  }
  node_.partitions->replace(std::move(after));
  image_ = round->change.image;
  apply_configs(round->change);
  applied_ = image_->offset();
  if (!unopened_.empty()) arm(reopen_timer_, chores_.reopen_every);
  shared_->ready = true;
  wake_waiters();
  working_ = false;
  begin_next();
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
  reopen_timer_.cancel();
  removals_.clear();
  directory_.debt().on_limit({});
  wake_waiters();
  if (!cleaner_) return close_logs(std::move(done));
  cleaner_->stop([this, done = std::move(done)]() mutable { close_logs(std::move(done)); });
}

}  // namespace broker
