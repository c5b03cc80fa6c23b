#include "tests/sim/cluster/keepers.h"

#include <algorithm>
#include <utility>

#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/offset_commit_request.h"
#include "common/wire/msg/offset_commit_response.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"

namespace sim {

using std::chrono::milliseconds;
using wire::ErrorCode;

namespace {

constexpr const char* kTopic = "kept";

}  // namespace

Keeper::Keeper(Facts& facts, const std::string& name, std::vector<std::string> brokers,
               std::int8_t key_type)
    : facts_(facts),
      name_(name),
      random_(facts.world.random(name)),
      client_(facts.world, facts.network, name),
      brokers_(std::move(brokers)),
      key_type_(key_type) {
  client_.patience = std::chrono::seconds(2);
}

void Keeper::soon(std::function<void()> step) {
  facts_.world.after(milliseconds(random_.between(5, 150)), std::move(step));
}

void Keeper::find() {
  client_.aim(brokers_[random_.below(brokers_.size())]);
  const wire::FindCoordinatorRequest request{.key_type = key_type_, .coordinator_keys = {name_}};
  client_.call<wire::FindCoordinatorResponse>(request, 4, [this](const auto* response) {
    const bool found = response != nullptr && response->coordinators.size() == 1 &&
                       response->coordinators[0].error_code == ErrorCode::kNone;
    if (!found) return soon([this] { find(); });
    client_.aim(response->coordinators[0].host);
    soon([this] { ask(); });
  });
}

bool Keeper::went_wrong(bool answered, ErrorCode error) {
  if (answered && error == ErrorCode::kNone) return false;
  switch (answered ? error : ErrorCode::kRequestTimedOut) {
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kConcurrentTransactions:
    case ErrorCode::kUnknownTopicOrPartition:  // this broker has not heard of it yet
      break;
    default:
      facts_.wrong(name_ + " was answered with " + std::string(wire::name(error)));
      return true;
  }
  soon([this] { find(); });
  return true;
}

void Keeper::confirm() {
  ++confirmed_;
  soon([this] { ask(); });
}

void IdKeeper::ask() {
  const wire::InitProducerIdRequest request{.transactional_id = name_,
                                            .transaction_timeout_ms = 5000};
  client_.call<wire::InitProducerIdResponse>(request, 4, [this](const auto* response) {
    if (went_wrong(response != nullptr, response ? response->error_code : ErrorCode::kNone)) return;
    facts_.world.trace("id kept", static_cast<std::uint64_t>(response->producer_id),
                       static_cast<std::uint64_t>(response->producer_epoch));
    const bool known = producer_id_ < 0 ||
                       (response->producer_id == producer_id_ && response->producer_epoch > epoch_);
    if (!known) {
      return facts_.wrong(name_ + " had producer " + std::to_string(producer_id_) + " epoch " +
                          std::to_string(epoch_) + " and is given " +
                          std::to_string(response->producer_id) + " epoch " +
                          std::to_string(response->producer_epoch));
    }
    producer_id_ = response->producer_id;
    epoch_ = response->producer_epoch;
    confirm();
  });
}

void OffsetKeeper::ask() {
  wire::OffsetCommitRequest request{.group_id = name_};
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.push_back({.committed_offset = ++sent_});
  client_.call<wire::OffsetCommitResponse>(request, 8, [this](const auto* response) {
    const ErrorCode error =
        response ? response->topics.at(0).partitions.at(0).error_code : ErrorCode::kNone;
    if (went_wrong(response != nullptr, error)) return;
    committed_ = sent_;
    read_back();
  });
}

void OffsetKeeper::read_back() {
  wire::OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = name_;
  group.topics.emplace().push_back({.name = kTopic, .partition_indexes = {0}});
  client_.call<wire::OffsetFetchResponse>(request, 8, [this](const auto* response) {
    if (response == nullptr) return (void)went_wrong(false, ErrorCode::kNone);
    const auto& answer = response->groups.at(0);
    if (went_wrong(true, answer.error_code)) return;
    const auto& partition = answer.topics.at(0).partitions.at(0);
    if (went_wrong(true, partition.error_code)) return;
    // What was sent and never answered may be there or not.
    if (partition.committed_offset < committed_ || partition.committed_offset > sent_) {
      return facts_.wrong(name_ + " committed " + std::to_string(committed_) + " and is told " +
                          std::to_string(partition.committed_offset));
    }
    confirm();
  });
}

}  // namespace sim
