#include "broker/node/hosting.h"

#include <algorithm>

#include "broker/node/hosting_round.h"

namespace broker {

using wire::ErrorCode;

Hosting::Hosting(Node& node, io::Disk& disk, LogDirectories& directories, io::Executor& home,
                 base::Random random, Chores chores)
    : node_(node),
      disk_(disk),
      directories_(directories),
      home_(home),
      random_(random),
      chores_(chores),
      shared_(std::make_shared<Shared>()),
      moves_({.node = node,
              .disk = disk,
              .directories = directories,
              .home = home,
              .placement = placement_,
              .moved =
                  [this](const std::shared_ptr<Partition>& partition, std::string trash) {
                    if (moved_) moved_(*partition);
                    if (trash.empty()) return;
                    remove_later({.directory = std::move(trash), .renames = {}, .files = {}},
                                 partition->config()->file_delete_delay_ms);
                  }},
             random_.split("moves")) {
  reopen_timer_.on_fire([this] { reopen(); });
  for (const auto& store : directories_.all()) {
    store->directory->health().on_failure(
        [&diag = node.diag, path = store->directory->path()](const auto& error) {
          diag.error("log", "log directory is out of service until the broker is restarted",
                     {{"directory", path}, {"error", error.what}});
        });
  }
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
                       .live = live_for(state)};
    if (is_open) {
      here->partitions[i]->become(std::move(role), home_.now());
      continue;
    }
    const base::Uuid* told = meta::directory_of(node_.broker_id, state.directories);
    round.openings.push_back(
        {.name = {topic.after->name, static_cast<std::int32_t>(i)},
         .topic_id = topic.after->id,
         .told = told ? std::optional(*told) : std::nullopt,
         .wanted = moves_.take_wish({topic.after->name, static_cast<std::int32_t>(i)}),
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
  std::map<base::BrokerId, meta::BrokerPtr> troubled;
  for (const auto& [id, broker] : change.image->brokers()) {
    const bool good = broker->failed_directories.empty() && broker->full_directories.empty();
    if (!good && live->contains(id)) troubled.emplace(id, broker);
  }
  const bool same = live_ != nullptr && *live == *live_ && troubled.empty() && troubled_.empty();
  if (same) return;
  live_ = std::move(live);
  troubled_ = std::move(troubled);
  for (const auto& partition : all_partitions()) {
    const meta::Topic* topic = change.image->topic(partition->topic_id());
    if (topic == nullptr) continue;
    partition->set_live(live_for(topic->partitions[static_cast<std::size_t>(partition->index())]));
  }
}

// Who cannot write its replica may not join the ISR.
std::shared_ptr<const LiveBrokers> Hosting::live_for(const meta::Partition& state) const {
  std::shared_ptr<LiveBrokers> fewer;
  for (const auto& [id, broker] : troubled_) {
    const bool holds = std::ranges::find(state.replicas, id) != state.replicas.end();
    if (!holds || meta::storage_of(*broker, state.directories) == meta::Storage::kGood) continue;
    if (fewer == nullptr) fewer = std::make_shared<LiveBrokers>(*live_);
    fewer->erase(id);
  }
  return fewer != nullptr ? std::shared_ptr<const LiveBrokers>(std::move(fewer)) : live_;
}

// What is gone leaves the disk before anything of the same name is made.
void Hosting::remove_gone(std::shared_ptr<Round> round) {
  round->removing = round->gone.size() + round->moved.size();
  if (round->removing == 0) return open_all(std::move(round));
  const auto remove = [&](const std::shared_ptr<Partition>& partition, ErrorCode why) {
    partition->close(why);
    partition->when_quiet(home_, [this, partition, round] {
      moves_.end(partition->name(), [this, partition, round] { remove_one(partition, round); });
    });
  };
  for (const auto& each : round->gone) remove(each, ErrorCode::kUnknownTopicOrPartition);
  for (const auto& each : round->moved) remove(each, ErrorCode::kNotLeaderOrFollower);
}

void Hosting::remove_one(std::shared_ptr<Partition> partition, std::shared_ptr<Round> round) {
  auto trash = std::make_shared<io::IoResult<std::string>>();
  // Another name each time: what left the same place shortly before may still lie there.
  home_.blocking(
      [this, partition, trash,
       random = random_.split("removal " + std::to_string(removed_++))]() mutable {
        // Nothing may be renamed here once another partition has the name.
        partition->with_log([](Log& log) { log.stop_compaction(); });
        *trash = partition->directory()->delete_partition(partition->name(), random);
        if (*trash) --directories_.of(*partition->directory()).partitions;
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
  home_.blocking(
      [this] {
        for (const auto& store : directories_.all()) {
          if (store->unsynced.exchange(false)) (void)store->directory->sync_created();
        }
      },
      [this, round] { publish(round); });
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

}  // namespace broker
