#include "tests/sim/cluster/tail_reader.h"

#include "common/wire/msg/fetch_request.h"

namespace sim {

using wire::ErrorCode;

TailReader::TailReader(Facts& facts, const std::string& name, std::vector<std::string> brokers,
                       std::string topic, std::int32_t partition)
    : facts_(facts),
      history_(facts.history(topic, partition)),
      topic_(std::move(topic)),
      partition_(partition),
      random_(facts.world.random(name)),
      client_(facts, name, std::move(brokers), topic_, partition) {}

void TailReader::start() {
  client_.find_leader();
  again_soon();
}

void TailReader::again_soon() {
  facts_.world.after(facts_.think(random_, 200, 40'000), [this] { poll(); });
}

void TailReader::poll() {
  if (!client_.has_leader()) return again_soon();
  wire::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(random_.between(0, 300));
  request.min_bytes = 1;
  request.max_bytes = static_cast<std::int32_t>(random_.between(100, 20'000));
  auto& topic = request.topics.emplace_back();
  topic.topic = topic_;
  // As clients do by KIP-320: without the epoch, a leader that was replaced while it was frozen
  // would say of what came after it that it is out of range.
  topic.partitions.push_back({.partition = partition_,
                              .current_leader_epoch = client_.leader_epoch(),
                              .fetch_offset = position_,
                              .partition_max_bytes = 1 << 16});
  client_.call<wire::FetchResponse>(
      request, 12, [this](const wire::FetchResponse* response) { answered(response); });
}

void TailReader::answered(const wire::FetchResponse* response) {
  again_soon();
  if (response == nullptr) return client_.find_leader();
  if (response->error_code != ErrorCode::kNone) {
    return facts_.wrong(host() + ": Fetch answered with " +
                        std::string(wire::name(response->error_code)));
  }
  for (const auto& topic : response->responses) {
    for (const auto& data : topic.partitions) take(data);
  }
}

void TailReader::take(const wire::fetch_response_parts::PartitionData& data) {
  switch (data.error_code) {
    case ErrorCode::kNone:
      break;
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kUnknownLeaderEpoch:
    // A new leader may not know yet that what was seen before is committed.
    case ErrorCode::kOffsetNotAvailable:
      return client_.find_leader();
    default:
      return facts_.wrong(host() + " at " + std::to_string(position_) + ": Fetch answered with " +
                          std::string(wire::name(data.error_code)) + ", the log is [" +
                          std::to_string(data.log_start_offset) + ", " +
                          std::to_string(data.high_watermark) + ")");
  }
  ++polls_;
  high_watermark_ = data.high_watermark;
  for (const Polled& each : parse_records(facts_, data.records)) {
    if (each.offset < position_) continue;  // the front of a batch
    if (each.offset != position_) {
      return facts_.wrong(host() + " skips from " + std::to_string(position_) + " to " +
                          std::to_string(each.offset));
    }
    if (each.offset >= data.high_watermark) {
      return facts_.wrong(host() + " was shown offset " + std::to_string(each.offset) +
                          " at or above the high watermark");
    }
    history_.polled(each.value, each.offset);
    records_.emplace(each.offset, each.value);
    facts_.world.trace("polled", each.value, static_cast<std::uint64_t>(each.offset));
    ++position_;
  }
}

}  // namespace sim
