#include "tests/sim/groups/epoch_consumer.h"

#include <algorithm>
#include <utility>

namespace sim {
namespace {

using broker::group::CommitOffsets;
using broker::group::ConsumerHeartbeat;
using broker::group::FetchedOffsets;
using broker::group::FetchOffsets;
using broker::group::OffsetsCommitted;
using broker::group::TopicShape;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr std::int32_t kPerTopic = 1'000;

}  // namespace

SimTopics::SimTopics(std::int32_t first, std::int32_t second)
    : shapes_{{"first", {7, 1}, first}, {"second", {7, 2}, second}} {}

void SimTopics::grow(std::size_t topic) {
  ++shapes_[topic].partitions;
  ++version_;
}

std::size_t SimTopics::partitions() const {
  return static_cast<std::size_t>(shapes_[0].partitions + shapes_[1].partitions);
}

std::optional<TopicShape> SimTopics::find(std::string_view name) const {
  const auto at = std::ranges::find(shapes_, name, &TopicShape::name);
  return at == shapes_.end() ? std::nullopt : std::optional(*at);
}

std::optional<std::string> SimTopics::name_of(const base::Uuid& id) const {
  const auto at = std::ranges::find(shapes_, id, &TopicShape::id);
  return at == shapes_.end() ? std::nullopt : std::optional(at->name);
}

void SimTopics::for_each_name(const std::function<void(std::string_view)>& visit) const {
  for (const TopicShape& shape : shapes_) visit(shape.name);
}

void Holders::take(const std::string& group, const std::string& member, std::int32_t partition) {
  ++taken_;
  auto& holders = held_[{group, partition}];
  // Whoever was expelled without having heard of it may well believe: it can do no harm.
  for (const std::string& other : holders) {
    if (other == member || !is_member_(group, other) || !is_member_(group, member)) continue;
    world_.fail(Verdict::kIncorrect, "two owners of " + group + "/" + std::to_string(partition) +
                                         ": " + other + " and " + member);
  }
  holders.insert(member);
}

EpochConsumer::EpochConsumer(World& world, ShardServer& server, Ownership& ownership,
                             Holders& holders, std::shared_ptr<SimTopics> topics, Options options)
    : world_(world),
      server_(server),
      ownership_(ownership),
      holders_(holders),
      topics_(std::move(topics)),
      options_(std::move(options)),
      random_(world.random("consumer " + std::to_string(options_.index))) {}

void EpochConsumer::start() {
  later(milliseconds(random_.between(0, 5'000)), &EpochConsumer::begin);
}

// ---- one request at a time

void EpochConsumer::send(std::int16_t version, GroupRequest request, Next next,
                         base::Duration patience) {
  const std::uint64_t number = ++request_;
  const std::uint64_t connection = connection_;
  auto shared_next = std::make_shared<Next>(std::move(next));
  auto travel = [this] {
    const bool slow = faulty_ && random_.chance(1, 30);
    return milliseconds(slow ? random_.between(100, 8'000) : random_.between(0, 10));
  };
  world_.after(travel(), [this, connection, number, version, request = std::move(request), travel,
                          shared_next] {
    if (connection != connection_) return;
    server_.ask(version, "c" + std::to_string(options_.index), request,
                [this, connection, number, travel, shared_next](GroupAnswer answer) {
                  if (faulty_ && random_.chance(1, 50)) return;  // lost with the connection
                  world_.after(travel(), [this, connection, number, shared_next,
                                          answer = std::move(answer)]() mutable {
                    if (connection != connection_ || number != request_) return;
                    ++request_;
                    (*shared_next)(std::move(answer));
                  });
                });
  });
  world_.after(patience, [this, connection, number] {
    if (connection != connection_ || number != request_) return;
    hang_up();
    says_all_ = true;
    later(milliseconds(100), classic_ ? &EpochConsumer::join : &EpochConsumer::beat);
  });
}

void EpochConsumer::hang_up() {
  ++connection_;
  ++request_;
}

void EpochConsumer::later(base::Duration pause, void (EpochConsumer::*what)()) {
  world_.after(pause, [this, plan = ++plan_, what] {
    if (plan == plan_) (this->*what)();
  });
}

// ---- the membership

void EpochConsumer::begin() {
  former_.reset();
  drop_all();
  ++lives_;
  classic_ = options_.switches && random_.chance(1, 2);
  member_id_ = "c" + std::to_string(options_.index) + "-" + std::to_string(lives_);
  if (classic_) member_id_.clear();
  join();
}

void EpochConsumer::join() {
  if (classic_) return join_classic();
  drop_all();
  epoch_ = 0;
  epochs_before_ = {};
  says_all_ = true;
  beat();
}

void EpochConsumer::beat() {
  if (classic_) return beat_classic();
  ConsumerHeartbeat ask{.request = {}, .topics = topics_};
  auto& request = ask.request;
  request.group_id = options_.group;
  request.member_id = member_id_;
  request.member_epoch = epoch_;
  request.instance_id = options_.instance;
  if (says_all_) {
    request.rebalance_timeout_ms = 12'000;
    if (options_.by_expression) {
      request.subscribed_topic_regex = "first|sec.*";
    } else {
      request.subscribed_topic_names = names_;
    }
  }
  request.topic_partitions.emplace();
  for (const auto& [number, position_] : positions_) {
    const auto shape = topics_->find(at(number).topic);
    request.topic_partitions->push_back(
        {.topic_id = shape->id, .partitions = {at(number).partition}});
  }
  send(1, std::move(ask), [this](GroupAnswer answer) {
    if (!answer) return on_error(answer.error());
    on_beaten(std::get<wire::ConsumerGroupHeartbeatResponse>(*answer));
  });
}

void EpochConsumer::on_beaten(const wire::ConsumerGroupHeartbeatResponse& response) {
  if (response.error_code != ErrorCode::kNone) return on_error(response.error_code);
  says_all_ = false;
  if (epoch_ != response.member_epoch) epochs_before_ = {epochs_before_[1], epoch_};
  epoch_ = response.member_epoch;
  if (!response.assignment)
    return later(milliseconds(random_.between(100, 1'500)), &EpochConsumer::tick);
  std::set<std::int32_t> owned;
  for (const auto& topic : response.assignment->topic_partitions) {
    const std::int32_t base = topic.topic_id.low == 1 ? 0 : kPerTopic;
    for (const std::int32_t partition : topic.partitions) owned.insert(base + partition);
  }
  world_.trace("assigned " + member_id_, static_cast<std::uint64_t>(epoch_), owned.size());
  take(owned);
}

void EpochConsumer::take(const std::set<std::int32_t>& owned) {
  for (auto it = positions_.begin(); it != positions_.end();) {
    if (owned.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->second >= 0) former_ = Former{it->first, it->second, epoch_};
    holders_.give_back(options_.group, member_id_, it->first);
    it = positions_.erase(it);
  }
  std::vector<std::int32_t> fresh;
  for (const std::int32_t number : owned) {
    if (!positions_.contains(number)) fresh.push_back(number);
  }
  for (const std::int32_t number : fresh) {
    holders_.take(options_.group, member_id_, number);
    positions_[number] = -1;  // until it is fetched
  }
  if (!fresh.empty()) return fetch(std::move(fresh));
  later(milliseconds(random_.between(10, 500)), &EpochConsumer::tick);
}

void EpochConsumer::drop_all() {
  for (const auto& [number, position_] : positions_) {
    holders_.give_back(options_.group, member_id_, number);
  }
  positions_.clear();
}

broker::group::TopicPartition EpochConsumer::at(std::int32_t number) const {
  return {number < kPerTopic ? "first" : "second", number % kPerTopic};
}

// ---- offsets

void EpochConsumer::fetch(std::vector<std::int32_t> fresh) {
  FetchOffsets request{.group_id = options_.group, .partitions = {}};
  if (!classic_) {
    request.member_id = member_id_;
    request.member_epoch = epoch_;
  }
  std::vector<std::int64_t> floors;
  for (const std::int32_t number : fresh) {
    request.partitions.push_back({.at = at(number)});
    floors.push_back(ownership_.acknowledged(options_.group, number));
  }
  send(9, request, [this, floors, fresh](GroupAnswer answer) {
    if (!answer) return on_error(answer.error());
    const auto& fetched = std::get<FetchedOffsets>(*answer);
    if (fetched.error != ErrorCode::kNone) return on_error(fetched.error);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const std::int64_t offset = fetched.partitions[i].offset;
      ownership_.fetched(options_.group, fresh[i], offset, floors[i]);
      positions_[fresh[i]] = std::max<std::int64_t>(offset, 0);
    }
    later(milliseconds(random_.between(10, 500)), &EpochConsumer::tick);
  });
}

CommitOffsets EpochConsumer::commit_request(std::int32_t epoch) const {
  CommitOffsets request{.group_id = options_.group, .generation = epoch, .member_id = member_id_};
  if (classic_) request.instance_id = options_.instance;
  return request;
}

void EpochConsumer::tick() {
  if (faulty_ && random_.chance(1, 15)) return misbehave();
  // What it owns but never read the commit of: ask again.
  std::vector<std::int32_t> unread;
  for (const auto& [number, position] : positions_) {
    if (position < 0) unread.push_back(number);
  }
  if (!unread.empty()) return fetch(std::move(unread));
  if (!positions_.empty() && random_.chance(1, 2)) return commit();
  beat();
}

void EpochConsumer::commit() {
  CommitOffsets request = commit_request(epoch_);
  for (auto& [number, position] : positions_) {
    position += random_.between(1, 100);
    request.partitions.push_back(
        {.at = at(number), .topic_id = topics_->find(at(number).topic)->id, .offset = position});
  }
  send(classic_ ? 8 : 9, request, [this, positions = positions_](GroupAnswer answer) {
    const ErrorCode error =
        answer ? std::get<OffsetsCommitted>(*answer).partitions.at(0).error : answer.error();
    if (error != ErrorCode::kNone) return on_error(error);
    for (const auto& [number, position] : positions) {
      ownership_.committed(options_.group, number, position);
    }
    later(milliseconds(random_.between(100, 1'000)), &EpochConsumer::tick);
  });
}

// A thread that was busy with what is not its own any more.
void EpochConsumer::commit_late() {
  if (!former_ || classic_) return beat();
  CommitOffsets request = commit_request(former_->epoch);
  const auto where = at(former_->partition);
  request.partitions.push_back(
      {.at = where, .topic_id = topics_->find(where.topic)->id, .offset = former_->position});
  former_.reset();
  send(9, request, [this](GroupAnswer) { beat(); });
}

// A message of long ago, of when it owned nothing. The epoch just before may be good, where an
// answer was lost; the one before that is not.
void EpochConsumer::beat_late() {
  if (epochs_before_[0] == 0 || classic_) return beat();
  ConsumerHeartbeat ask{.request = {}, .topics = topics_};
  ask.request.group_id = options_.group;
  ask.request.member_id = member_id_;
  ask.request.member_epoch = epochs_before_[0];
  ask.request.instance_id = options_.instance;
  ask.request.topic_partitions.emplace();
  send(1, std::move(ask), [this, epoch = epochs_before_[0]](GroupAnswer answer) {
    const bool is_taken =
        answer &&
        std::get<wire::ConsumerGroupHeartbeatResponse>(*answer).error_code == ErrorCode::kNone;
    if (is_taken) {
      world_.fail(Verdict::kIncorrect, member_id_ + " in epoch " + std::to_string(epoch_) +
                                           " was heard in epoch " + std::to_string(epoch));
    }
    beat();
  });
}

void EpochConsumer::on_error(ErrorCode error) {
  world_.trace("error " + std::string(name(error)), options_.index);
  if (classic_) return on_classic_error(error);
  switch (error) {
    case ErrorCode::kGroupIdNotFound:  // it went back to the classic protocol without us
      if (options_.switches) return later(milliseconds(100), &EpochConsumer::begin);
      says_all_ = true;
      return later(milliseconds(random_.between(20, 200)), &EpochConsumer::beat);
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kFencedMemberEpoch:
    case ErrorCode::kUnreleasedInstanceId:
      drop_all();
      return later(milliseconds(random_.between(20, 2'000)), &EpochConsumer::join);
    case ErrorCode::kFencedInstanceId:
      drop_all();
      return later(seconds(1), &EpochConsumer::begin);
    default:  // the coordinator is away, or the epoch has changed: ask again
      says_all_ = true;
      return later(milliseconds(random_.between(20, 200)), &EpochConsumer::beat);
  }
}

// ---- misbehaviour

void EpochConsumer::misbehave() {
  switch (random_.below(5)) {
    case 0:
      return leave();
    case 1:
      return die();
    case 2:
      names_ = random_.chance(1, 2) ? std::vector<std::string>{"first"}
                                    : std::vector<std::string>{"first", "second"};
      says_all_ = true;
      return beat();
    case 3:
      return beat_late();
    default:
      return commit_late();
  }
}

void EpochConsumer::leave() {
  if (classic_) return leave_classic();
  ConsumerHeartbeat ask{.request = {}, .topics = topics_};
  ask.request.group_id = options_.group;
  ask.request.member_id = member_id_;
  ask.request.instance_id = options_.instance;
  const bool stays = options_.instance && random_.chance(1, 2);
  ask.request.member_epoch = stays ? -2 : -1;
  drop_all();
  send(1, std::move(ask), [this](GroupAnswer) {
    later(milliseconds(random_.between(0, 20'000)), &EpochConsumer::begin);
  });
}

// The process ends without a word and another one starts.
void EpochConsumer::die() {
  world_.trace("dies", options_.index);
  hang_up();
  drop_all();
  later(milliseconds(random_.between(0, 20'000)), &EpochConsumer::begin);
}

void EpochConsumer::retire() {
  hang_up();
  ++plan_;
  drop_all();
  retired_ = true;
}

}  // namespace sim
