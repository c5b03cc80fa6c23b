// The consumer as a member of the classic protocol: JoinGroup, SyncGroup, Heartbeat. Eager ones
// give everything back before they join, cooperative ones keep what they have until they hear
// otherwise.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_protocol.h"
#include "common/wire/msg/consumer_protocol_subscription.h"
#include "common/wire/writer.h"
#include "tests/sim/groups/epoch_consumer.h"

namespace sim {
namespace {

using broker::group::NamedPartitions;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr std::int32_t kPerTopic = 1'000;
constexpr seconds kJoinPatience{20};

}  // namespace

base::Bytes EpochConsumer::subscription() const {
  wire::ConsumerProtocolSubscription said{.topics = names_};
  for (const auto& [number, position_] : positions_) {
    said.owned_partitions.push_back(
        {.topic = at(number).topic, .partitions = {at(number).partition}});
  }
  wire::Writer out;
  out.write_number<std::int16_t>(1);
  said.encode(out, 1);
  return out.take();
}

void EpochConsumer::join_classic() {
  if (!options_.cooperative) drop_all();
  wire::JoinGroupRequest request{.group_id = options_.group,
                                 .session_timeout_ms = 6'000,
                                 .rebalance_timeout_ms = 12'000,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance,
                                 .protocol_type = "consumer"};
  request.protocols.push_back({.name = "any", .metadata = subscription()});
  send(
      5, request,
      [this](GroupAnswer answer) {
        if (!answer) return on_error(answer.error());
        on_joined(std::get<wire::JoinGroupResponse>(*answer));
      },
      kJoinPatience);
}

void EpochConsumer::on_joined(const wire::JoinGroupResponse& response) {
  if (response.error_code == ErrorCode::kMemberIdRequired) {
    member_id_ = response.member_id;
    return join();
  }
  if (response.error_code != ErrorCode::kNone) return on_error(response.error_code);
  if (response.member_id != member_id_) drop_all();
  member_id_ = response.member_id;
  epoch_ = response.generation_id;
  wire::SyncGroupRequest request{.group_id = options_.group,
                                 .generation_id = epoch_,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance,
                                 .protocol_type = "consumer",
                                 .protocol_name = "any"};
  const bool leads = response.leader == member_id_ && !response.skip_assignment;
  if (leads) request.assignments = share_out(response);
  send(
      5, request,
      [this](GroupAnswer answer) {
        if (!answer) return on_error(answer.error());
        on_synced(std::get<wire::SyncGroupResponse>(*answer));
      },
      kJoinPatience);
}

// The assignor of the cooperative kind: who has something keeps it up to its share; what somebody
// has to give back is not given on before it is. With eager members nobody has anything.
std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> EpochConsumer::share_out(
    const wire::JoinGroupResponse& joined) const {
  struct Share {
    std::vector<std::string> topics;
    NamedPartitions owned;
    NamedPartitions given;
    std::size_t count = 0;
  };
  std::vector<Share> shares(joined.members.size());
  std::map<std::pair<std::string, std::int32_t>, std::vector<std::size_t>> claims;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    auto said = broker::group::read_subscription(joined.members[i].metadata);
    shares[i].topics = std::move(said->topics);
    shares[i].owned = std::move(said->owned);
    for (const auto& [topic, numbers] : shares[i].owned) {
      for (const std::int32_t number : numbers) claims[{topic, number}].push_back(i);
    }
  }
  const std::size_t quota = (topics_->partitions() + shares.size() - 1) / shares.size();
  for (const char* topic : {"first", "second"}) {
    for (std::int32_t p = 0; p < topics_->find(topic)->partitions; ++p) {
      const auto claimed = claims.find({topic, p});
      const bool is_claimed = claimed != claims.end();
      if (is_claimed && claimed->second.size() > 1) continue;
      Share* best = nullptr;
      for (std::size_t i = 0; i < shares.size(); ++i) {
        if (std::ranges::find(shares[i].topics, topic) == shares[i].topics.end()) continue;
        if (is_claimed && claimed->second.front() != i) continue;
        if (is_claimed && shares[i].count >= quota) continue;
        if (best == nullptr || shares[i].count < best->count) best = &shares[i];
      }
      if (best == nullptr) continue;
      best->given[topic].insert(p);
      ++best->count;
    }
  }
  std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> out;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    out.push_back({.member_id = joined.members[i].member_id,
                   .assignment = broker::group::write_assignment(1, shares[i].given)});
  }
  return out;
}

void EpochConsumer::on_synced(const wire::SyncGroupResponse& response) {
  if (response.error_code != ErrorCode::kNone) return on_error(response.error_code);
  const auto mine = broker::group::read_assignment(response.assignment);
  std::set<std::int32_t> owned;
  for (const auto& [topic, numbers] : mine->partitions) {
    for (const std::int32_t number : numbers) {
      owned.insert((topic == "first" ? 0 : kPerTopic) + number);
    }
  }
  const bool gives_back = std::ranges::any_of(
      positions_, [&](const auto& each) { return !owned.contains(each.first); });
  world_.trace("assigned " + member_id_, static_cast<std::uint64_t>(epoch_), owned.size());
  take(owned);
  if (!gives_back || !options_.cooperative) return;
  hang_up();  // whatever take() has asked for, it joins again first
  later(milliseconds(random_.between(1, 300)), &EpochConsumer::join);
}

void EpochConsumer::beat_classic() {
  wire::HeartbeatRequest request{.group_id = options_.group,
                                 .generation_id = epoch_,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance};
  send(4, request, [this](GroupAnswer answer) {
    const ErrorCode error =
        answer ? std::get<wire::HeartbeatResponse>(*answer).error_code : answer.error();
    if (error != ErrorCode::kNone) return on_error(error);
    later(milliseconds(random_.between(500, 2'000)), &EpochConsumer::tick);
  });
}

void EpochConsumer::leave_classic() {
  wire::LeaveGroupRequest request{.group_id = options_.group};
  request.members.push_back({.member_id = member_id_, .group_instance_id = options_.instance});
  drop_all();
  send(5, request, [this](GroupAnswer) {
    later(milliseconds(random_.between(0, 20'000)), &EpochConsumer::begin);
  });
}

void EpochConsumer::on_classic_error(ErrorCode error) {
  switch (error) {
    case ErrorCode::kUnknownMemberId:
      drop_all();
      member_id_.clear();
      return later(milliseconds(random_.between(20, 200)), &EpochConsumer::join);
    case ErrorCode::kIllegalGeneration:
      drop_all();
      return later(milliseconds(random_.between(20, 200)), &EpochConsumer::join);
    case ErrorCode::kFencedInstanceId:
    case ErrorCode::kInconsistentGroupProtocol:
      drop_all();
      return later(seconds(1), &EpochConsumer::begin);
    default:  // the group rebalances, or its coordinator is away
      return later(milliseconds(random_.between(20, 200)), &EpochConsumer::join);
  }
}

}  // namespace sim
