#include "tests/sim/node/consumer.h"

#include <utility>

#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"
#include "common/wire/msg/offset_commit_request.h"
#include "common/wire/msg/offset_commit_response.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"

namespace sim {

using wire::ErrorCode;

Consumer::Consumer(Facts& facts, const std::string& name, Options options)
    : facts_(facts),
      options_(std::move(options)),
      random_(facts.world.random(name)),
      client_(facts.world, facts.network, name),
      committer_(facts.world, facts.network, name + " commits"),
      version_(static_cast<std::int16_t>(random_.between(7, 13))) {
  for (std::int32_t i = 0; i < options_.partitions; ++i) places_[i] = {};
}

void Consumer::start() {
  poll();
  if (!options_.group.empty()) commit();
}

void Consumer::end_session() {
  session_id_ = 0;
  session_epoch_ = 0;
  for (auto& [partition, place] : places_) place.told = -1;
}

void Consumer::restart() {
  resuming_ = true;
  end_session();
  client_.drop();
  committer_.drop();
}

void Consumer::poll() {
  if (resuming_) {
    again_soon();
    if (committer_.idle()) find_committed();
    return;
  }
  // Now and then it begins anew.
  if (random_.chance(1, 60)) end_session();
  wire::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(random_.between(0, 300));
  request.min_bytes = 1;
  request.max_bytes = static_cast<std::int32_t>(random_.between(100, 20'000));
  request.session_id = session_id_;
  request.session_epoch = session_epoch_;
  wire::FetchRequest::FetchTopic topic;
  topic.topic = options_.topic;
  for (auto& [partition, place] : places_) {
    place.asked = facts_.history(options_.topic, partition).bounds();
    if (place.told == place.position) continue;
    place.told = place.position;
    topic.partitions.push_back(
        {.partition = partition, .fetch_offset = place.position, .partition_max_bytes = 1 << 16});
  }
  if (!topic.partitions.empty()) request.topics.push_back(std::move(topic));
  client_.call<wire::FetchResponse>(
      request, version_, [this](const wire::FetchResponse* response) { answered(response); });
}

void Consumer::again_soon() {
  facts_.world.after(std::chrono::microseconds(random_.between(100, 15'000)), [this] { poll(); });
}

void Consumer::answered(const wire::FetchResponse* response) {
  again_soon();
  if (resuming_) return;
  if (response == nullptr) return end_session();
  switch (response->error_code) {
    case ErrorCode::kNone:
      break;
    case ErrorCode::kFetchSessionIdNotFound:
    case ErrorCode::kInvalidFetchSessionEpoch:
      return end_session();
    default:
      return facts_.wrong(client_.host() + ": Fetch answered with " +
                          std::string(wire::name(response->error_code)));
  }
  session_id_ = response->session_id;
  session_epoch_ = session_id_ == 0 ? 0 : session_epoch_ + 1;
  if (session_id_ == 0) end_session();
  for (const auto& topic : response->responses) {
    for (const auto& data : topic.partitions) take(data.partition_index, data);
  }
}

void Consumer::take(std::int32_t partition, const wire::fetch_response_parts::PartitionData& data) {
  Place& place = places_.at(partition);
  PartitionHistory& history = facts_.history(options_.topic, partition);
  const std::string name = client_.host() + ": " + options_.topic + "-" + std::to_string(partition);
  if (data.error_code == ErrorCode::kKafkaStorageError) return;
  if (data.error_code == ErrorCode::kNotLeaderOrFollower) return;  // it is just ending
  if (data.error_code == ErrorCode::kNone || data.error_code == ErrorCode::kOffsetOutOfRange) {
    history.start_is(data.log_start_offset, place.asked, "Fetch");
    history.high_watermark_is(data.high_watermark, place.asked, "Fetch");
  }
  if (data.error_code == ErrorCode::kOffsetOutOfRange && data.log_start_offset > place.position) {
    place.position = data.log_start_offset;  // deleted: goes on where the log begins
    return;
  }
  if (data.error_code != ErrorCode::kNone) {
    return facts_.wrong(name + " at " + std::to_string(place.position) + " of [" +
                        std::to_string(data.log_start_offset) + ", " +
                        std::to_string(data.high_watermark) + ") answered with " +
                        std::string(wire::name(data.error_code)));
  }
  for (const Polled& each : parse_records(facts_, data.records)) {
    if (each.offset < place.position) continue;  // the front of a batch
    if (each.offset != place.position) {
      return facts_.wrong(name + " skips from " + std::to_string(place.position) + " to " +
                          std::to_string(each.offset));
    }
    if (each.offset >= data.high_watermark) return facts_.wrong(name + " shows too much");
    history.polled(each.value, each.offset);
    facts_.world.trace("polled", each.value, static_cast<std::uint64_t>(each.offset));
    ++place.position;
    ++polled_;
  }
}

void Consumer::commit() {
  facts_.world.after(std::chrono::milliseconds(random_.between(5, 200)), [this] { commit(); });
  if (!committer_.idle() || resuming_) return;
  if (random_.chance(1, 3)) return find_committed();
  const std::int64_t offset = places_.at(0).position;
  facts_.commits.asked(options_.group, offset);
  wire::OffsetCommitRequest request;
  request.group_id = options_.group;
  auto& topic = request.topics.emplace_back();
  topic.name = options_.topic;
  topic.partitions.push_back({.partition_index = 0, .committed_offset = offset});
  committer_.call<wire::OffsetCommitResponse>(
      request, 8, [this, offset](const wire::OffsetCommitResponse* response) {
        if (response == nullptr) return;
        const auto error = response->topics.at(0).partitions.at(0).error_code;
        facts_.world.trace("commit", wire::name(error));
        if (error == ErrorCode::kNotCoordinator) return find_coordinator();
        if (error != ErrorCode::kNone) return;
        ++commits_;
        facts_.commits.committed(options_.group, offset);
      });
}

// The first to ask makes the topic of the coordinators.
void Consumer::find_coordinator() {
  wire::FindCoordinatorRequest request;
  request.key = options_.group;
  committer_.call<wire::FindCoordinatorResponse>(request, 3, [](const auto*) {});
}

void Consumer::find_committed() {
  wire::OffsetFetchRequest request;
  request.group_id = options_.group;
  request.topics->push_back({.name = options_.topic, .partition_indexes = {0}});
  const std::int64_t asked_at = facts_.commits.last(options_.group);
  committer_.call<wire::OffsetFetchResponse>(
      request, 7, [this, asked_at](const wire::OffsetFetchResponse* response) {
        if (response == nullptr || response->error_code != ErrorCode::kNone) return;
        const auto& found = response->topics.at(0).partitions.at(0);
        if (found.error_code != ErrorCode::kNone) return;
        facts_.commits.fetched(options_.group, found.committed_offset, asked_at);
        ++found_;
        if (!std::exchange(resuming_, false)) return;
        places_.at(0).position = std::max<std::int64_t>(found.committed_offset, 0);
      });
}

// ---- Reader

void Reader::again(void (Reader::*step)()) {
  facts_.world.after(std::chrono::milliseconds(20), [this, step] { (this->*step)(); });
}

void Reader::find_start() {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = topic_;
  topic.partitions.push_back({.partition_index = partition_, .timestamp = -2});
  client_.call<wire::ListOffsetsResponse>(
      request, 5, [this](const wire::ListOffsetsResponse* response) {
        if (response == nullptr) return again(&Reader::find_start);
        const auto& found = response->topics.at(0).partitions.at(0);
        if (found.error_code != ErrorCode::kNone) return again(&Reader::find_start);
        contents_ = {.start = found.offset, .high_watermark = -1, .records = {}};
        position_ = found.offset;
        poll();
      });
}

void Reader::poll() {
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = topic_;
  topic.partitions.push_back(
      {.partition = partition_, .fetch_offset = position_, .partition_max_bytes = 1 << 20});
  client_.call<wire::FetchResponse>(request, 12, [this](const wire::FetchResponse* response) {
    if (response == nullptr) return again(&Reader::poll);
    const auto& data = response->responses.at(0).partitions.at(0);
    if (data.error_code != ErrorCode::kNone) return again(&Reader::find_start);
    contents_.high_watermark = data.high_watermark;
    for (const Polled& each : parse_records(facts_, data.records)) {
      if (each.offset < position_) continue;
      contents_.records[each.offset] = each.value;
      position_ = each.offset + 1;
    }
    if (position_ < data.high_watermark) return again(&Reader::poll);
    done_ = true;
  });
}

}  // namespace sim
