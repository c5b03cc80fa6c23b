#include "broker/node/replica_moves.h"

#include <algorithm>
#include <utility>

#include "broker/log/partition_metadata.h"

namespace broker {

using wire::ErrorCode;

namespace {

// More at a time would only make each of them slower.
constexpr std::size_t kRunningMax = 2;
// Of partitions that are not here. Beyond it the wish is refused.
constexpr std::size_t kWishesMax = 10'000;
// In one piece of blocking work.
constexpr std::int64_t kStepBytes = 8 << 20;
constexpr base::Duration kPause = std::chrono::milliseconds(100);

}  // namespace

struct ReplicaMoves::Move {
  std::shared_ptr<ReplicaCopy> copy;
  bool made = false;         // its copy is there, if empty
  bool busy = false;         // a step is under way
  bool running = false;      // counted in running_
  bool cancelled = false;    // what was copied is to go
  LogStore* next = nullptr;  // where to instead
  std::vector<std::move_only_function<void()>> on_end;
  base::Timer timer;
};

ReplicaMoves::ReplicaMoves(const Services& services, base::Random random)
    : services_(services), random_(random) {}

ReplicaMoves::~ReplicaMoves() = default;

// ---- what is asked for

ErrorCode ReplicaMoves::alter(const PartitionName& name, const std::string& path) {
  const ErrorCode error = begin(name, path);
  const bool is_wish = error == ErrorCode::kReplicaNotAvailable ||
                       error == ErrorCode::kUnknownTopicOrPartition;  // kept for when it comes
  if (error != ErrorCode::kNone && !is_wish) stats_.refused.add(1);
  return error;
}

ErrorCode ReplicaMoves::begin(const PartitionName& name, const std::string& path) {
  if (!LogDirectory::fits_future_name(name)) return ErrorCode::kInvalidTopicException;
  LogStore* to = services_.directories.at(path);
  if (to == nullptr && !services_.directories.is_configured(path)) {
    return ErrorCode::kLogDirNotFound;
  }
  if (to == nullptr || to->failed() || stopping_) return ErrorCode::kKafkaStorageError;
  auto partition = services_.node.partitions->find(name.topic, name.partition);
  if (partition == nullptr) {
    if (!wishes_.contains(name) && wishes_.size() >= kWishesMax) {
      return ErrorCode::kKafkaStorageError;
    }
    wishes_[name] = to;
    const meta::Topic* topic = services_.node.image()->topic(name.topic);
    const bool known = topic != nullptr && name.partition >= 0 &&
                       static_cast<std::size_t>(name.partition) < topic->partitions.size();
    return known ? ErrorCode::kReplicaNotAvailable : ErrorCode::kUnknownTopicOrPartition;
  }
  if (partition->directory()->failed()) return ErrorCode::kKafkaStorageError;
  if (const auto found = moves_.find(name); found != moves_.end()) {
    Move& move = *found->second;
    move.next = nullptr;
    if (&move.copy->to() == to && !move.cancelled) return ErrorCode::kNone;
    if (partition->directory() != to->directory.get()) move.next = to;
    cancel(move);
    return ErrorCode::kNone;
  }
  if (partition->directory() == to->directory.get()) return ErrorCode::kNone;
  // What an earlier move left in a directory that cannot be reached, or somebody put there.
  if (to->directory->holds(name)) return ErrorCode::kKafkaStorageError;
  start(std::move(partition), *to);
  return ErrorCode::kNone;
}

LogStore* ReplicaMoves::take_wish(const PartitionName& name) {
  const auto found = wishes_.find(name);
  if (found == wishes_.end()) return nullptr;
  LogStore* to = found->second;
  wishes_.erase(found);
  return to->failed() ? nullptr : to;
}

void ReplicaMoves::start(std::shared_ptr<Partition> partition, LogStore& to) {
  auto move = std::make_shared<Move>();
  const PartitionName name = partition->name();
  LogStore& from = services_.directories.of(*partition->directory());
  move->copy =
      std::make_shared<ReplicaCopy>(std::move(partition), from, to,
                                    ReplicaCopy::Services{.disk = services_.disk,
                                                          .clock = services_.node.clock,
                                                          .diag = services_.node.diag,
                                                          .placement = services_.placement},
                                    random_.split(name.to_string()));
  random_.next();
  ++to.partitions;
  moves_[name] = move;
  {
    std::lock_guard lock(mutex_);
    seen_[name] = move->copy;
  }
  move->timer.on_fire([this, weak = std::weak_ptr(move)] {
    if (auto same = weak.lock()) step(same);
  });
  step(move);
}

// ---- step by step

void ReplicaMoves::run_more() {
  while (running_ < kRunningMax && !waiting_.empty()) {
    auto move = std::move(waiting_.front());
    waiting_.pop_front();
    if (move->running || move->busy) continue;
    move->running = true;
    ++running_;
    step(move);
  }
}

void ReplicaMoves::step(const std::shared_ptr<Move>& move) {
  if (move->busy) return;
  if (stopping_) return ended(move);
  if (move->cancelled && !move->copy->exchanged()) return discard(move);
  const auto now = services_.home.now();
  auto& throttle = services_.node.throttles.moves;
  if (move->made) {
    if (const auto wait = throttle.wait(now); wait > base::Duration::zero()) {
      return rest(move, wait);
    }
  }
  move->busy = true;
  auto result = std::make_shared<ReplicaCopy::Step>();
  const auto before = move->copy->copied_bytes();
  services_.home.blocking(
      [copy = move->copy, result, bytes = std::min(kStepBytes, throttle.left(now))] {
        *result = copy->step(bytes);
      },
      [this, move, result, before] {
        move->busy = false;
        services_.node.throttles.moves.record(
            static_cast<std::int64_t>(move->copy->copied_bytes() - before), services_.home.now());
        on_step(move, *result);
      });
}

void ReplicaMoves::on_step(const std::shared_ptr<Move>& move, ReplicaCopy::Step result) {
  switch (result) {
    case ReplicaCopy::Step::kMore:
      if (move->made) return step(move);
      move->made = true;
      if (stopping_ || move->cancelled) return step(move);
      waiting_.push_back(move);
      return run_more();
    case ReplicaCopy::Step::kWait:
      return rest(move, kPause);
    case ReplicaCopy::Step::kFailed:
      if (!move->cancelled && !stopping_) stats_.failed.add(1);
      move->cancelled = true;
      return stopping_ ? ended(move) : discard(move);
    case ReplicaCopy::Step::kBroken:
      stats_.failed.add(1);
      unclean_.insert(move->copy->from().directory.get());
      [[fallthrough]];
    case ReplicaCopy::Step::kDone:
      if (result == ReplicaCopy::Step::kDone) stats_.done.add(1);
      services_.moved(move->copy->partition(), move->copy->trash());
      return ended(move);
  }
}

void ReplicaMoves::rest(const std::shared_ptr<Move>& move, base::Duration pause) {
  if (stopping_ || (move->cancelled && !move->copy->exchanged())) return step(move);
  services_.home.timers().set(move->timer, services_.home.now() + pause);
}

void ReplicaMoves::cancel(Move& move) {
  if (!move.cancelled && !move.copy->exchanged()) stats_.cancelled.add(1);
  move.cancelled = true;
  if (move.busy) return;
  const auto found = moves_.find(move.copy->partition()->name());
  move.timer.cancel();
  step(std::shared_ptr(found->second));
}

void ReplicaMoves::discard(const std::shared_ptr<Move>& move) {
  move->busy = true;
  services_.home.blocking([copy = move->copy] { copy->discard(); },
                          [this, move] {
                            move->busy = false;
                            --move->copy->to().partitions;
                            ended(move);
                          });
}

void ReplicaMoves::ended(const std::shared_ptr<Move>& move) {
  move->timer.cancel();
  if (stopping_ && move->copy->exchanged() && !move->copy->settled()) {
    unclean_.insert(move->copy->from().directory.get());
    move->copy->give_up();
  }
  const auto partition = move->copy->partition();
  moves_.erase(partition->name());
  {
    std::lock_guard lock(mutex_);
    seen_.erase(partition->name());
  }
  std::erase(waiting_, move);
  if (move->running) --running_;
  auto waiters = std::move(move->on_end);
  for (auto& each : waiters) each();
  const bool goes_on =
      move->next != nullptr && waiters.empty() && !stopping_ &&
      services_.node.partitions->find(partition->name().topic, partition->index()) == partition;
  if (goes_on) (void)alter(partition->name(), move->next->directory->path());
  run_more();
  if (stopping_ && moves_.empty() && stopped_) std::exchange(stopped_, nullptr)();
}

// ---- the end

void ReplicaMoves::end(const PartitionName& name, std::move_only_function<void()> done) {
  const auto found = moves_.find(name);
  if (found == moves_.end()) return done();
  const auto move = found->second;
  move->on_end.push_back(std::move(done));
  cancel(*move);
}

void ReplicaMoves::stop(std::move_only_function<void()> done) {
  stopping_ = true;
  if (moves_.empty()) return done();
  stopped_ = std::move(done);
  const auto all = moves_;
  for (const auto& [name, move] : all) {
    if (!move->busy) ended(move);
  }
}

// ---- after a start

// A copy of what is served here is made anew, from its beginning: what a crash left of it is not
// worth telling apart. Any other is kept: it may be the only one that there is.
struct ReplicaMoves::LeftCopy {
  LogStore* store;
  const LogDirectory::Future* future;
  std::optional<base::Uuid> topic_id;
  bool is_empty = false;
  Fate fate = Fate::kSetAside;
};

void ReplicaMoves::resume() {
  auto all = std::make_shared<std::vector<LeftCopy>>();
  services_.home.blocking(
      [this, all] { *all = left_copies(); },
      [this, all] {
        for (LeftCopy& each : *all) each.fate = fate_of(each);
        services_.home.blocking(
            [this, all] { std::erase_if(*all, [this](auto& each) { return !clear(each); }); },
            [this, all] {
              for (const LeftCopy& each : *all) {
                if (moves_.contains(each.future->name)) continue;
                (void)alter(each.future->name, each.store->directory->path());
              }
            });
      });
}

std::vector<ReplicaMoves::LeftCopy> ReplicaMoves::left_copies() const {
  std::vector<LeftCopy> out;
  for (const auto& store : services_.directories.all()) {
    for (const LogDirectory::Future& each : store->directory->left_futures()) {
      LeftCopy& left = out.emplace_back(LeftCopy{.store = store.get(), .future = &each});
      if (auto text = services_.disk.read_file(each.path + "/partition.metadata")) {
        left.topic_id = parse_partition_metadata(*text);
      }
      const auto entries = services_.disk.list(each.path);
      left.is_empty = entries && std::ranges::none_of(*entries, [](const auto& entry) {
                        return entry.name.ends_with(".log");
                      });
    }
  }
  return out;
}

ReplicaMoves::Fate ReplicaMoves::fate_of(const LeftCopy& copy) const {
  const PartitionName& name = copy.future->name;
  const auto partition = services_.node.partitions->find(name.topic, name.partition);
  if (partition != nullptr && copy.topic_id == partition->topic_id()) {
    return Fate::kBegunAnew;
  }
  // A crash while a copy was removed leaves some of its files.
  if (partition != nullptr && !copy.topic_id) return Fate::kRemoved;
  // Out of service just now: the next start knows more.
  const meta::Topic* topic = services_.node.image()->topic(name.topic);
  const bool is_known = topic != nullptr && copy.topic_id == topic->id;
  return partition == nullptr && is_known ? Fate::kLeftAlone : Fate::kSetAside;
}

// Whether the move goes on.
bool ReplicaMoves::clear(const LeftCopy& copy) const {
  const bool goes_on = copy.fate == Fate::kBegunAnew;
  if (goes_on || copy.is_empty || copy.fate == Fate::kRemoved) {
    return services_.disk.remove_all(copy.future->path).has_value() && goes_on;
  }
  // If it cannot be renamed it is kept as it is.
  if (copy.fate == Fate::kSetAside) (void)copy.store->directory->set_aside(*copy.future);
  return false;
}

std::vector<ReplicaMoves::View> ReplicaMoves::views() const {
  std::vector<std::shared_ptr<ReplicaCopy>> copies;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, copy] : seen_) copies.push_back(copy);
  }
  std::vector<View> out;
  for (const auto& copy : copies) {
    if (copy->exchanged()) continue;
    const auto& partition = copy->partition();
    out.push_back({.name = partition->name(),
                   .topic_id = partition->topic_id(),
                   .to = copy->to().directory.get(),
                   .size_bytes = copy->size_bytes(),
                   .lag = partition->bounds().end - copy->end()});
  }
  return out;
}

}  // namespace broker
