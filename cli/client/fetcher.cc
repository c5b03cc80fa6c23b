#include "cli/client/fetcher.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "cli/client/batch_walk.h"
#include "cli/client/interrupt.h"
#include "cli/client/offsets.h"
#include "common/wire/msg/fetch_request.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int32_t kAnswerBytesMax = 50 << 20;
constexpr std::int32_t kPartitionBytesMax = 1 << 20;
// Fetches have connections of their own: a long poll would hold up everything behind it.
constexpr int kFetchLane = 1;

}  // namespace

void Fetcher::assign(const TopicInfo& topic, std::int32_t partition, Range range) {
  auto& entry = topics_[topic.name];
  entry.info = topic;
  Partition added{.index = partition, .range = range};
  added.done = range.end && range.next >= *range.end;
  entry.partitions.push_back(added);
}

void Fetcher::clear() {
  topics_.clear();
  ++assignment_;
}

bool Fetcher::finished() const {
  return std::ranges::all_of(topics_, [](const auto& topic) {
    return std::ranges::all_of(topic.second.partitions, &Partition::done);
  });
}

std::map<TopicPartition, std::int64_t> Fetcher::positions() const {
  std::map<TopicPartition, std::int64_t> positions;
  for (const auto& [name, topic] : topics_) {
    for (const Partition& partition : topic.partitions) {
      positions[{name, partition.index}] = partition.range.next;
    }
  }
  return positions;
}

bool Fetcher::poll(milliseconds wait, const Sink& sink) {
  Deadline until = Deadline::in(wait);
  bool got = false;
  do {
    if (interrupted()) throw Interrupted{};
    send_all(until);
    std::vector<pollfd> descriptors;
    std::vector<std::int32_t> leaders;
    for (const auto& [leader, pending] : pending_) {
      leaders.push_back(leader);
      descriptors.push_back(
          {.fd = pending.connection->descriptor(), .events = POLLIN, .revents = 0});
    }
    int ready =
        ::poll(descriptors.data(), descriptors.size(), static_cast<int>(until.left().count()));
    if (ready < 0 && errno == EINTR) continue;
    for (std::size_t i = 0; i < leaders.size(); ++i) {
      if (descriptors[i].revents != 0) take(leaders[i], sink, got);
    }
  } while (!got && !until.passed() && !finished());
  return got;
}

void Fetcher::send_all(Deadline until) {
  if (stale_) refresh(until);
  std::vector<std::int32_t> leaders;
  for (const auto& [name, topic] : topics_) {
    for (const Partition& partition : topic.partitions) {
      if (partition.done) continue;
      auto index = static_cast<std::size_t>(partition.index);
      std::int32_t leader =
          index < topic.info.partitions.size() ? topic.info.partitions[index].leader : -1;
      if (leader < 0) {
        note(refusal(fmt::format("partition {}-{}", name, partition.index),
                     wire::ErrorCode::kLeaderNotAvailable));
      } else if (std::ranges::find(leaders, leader) == leaders.end()) {
        leaders.push_back(leader);
      }
    }
  }
  for (std::int32_t leader : leaders) {
    if (!pending_.contains(leader)) send_to(leader, until);
  }
  ++turn_;
}

void Fetcher::send_to(std::int32_t leader, Deadline until) {
  wire::FetchRequest request;
  request.max_wait_ms =
      static_cast<std::int32_t>(std::min(options_.long_poll, until.left()).count());
  request.min_bytes = 1;
  request.max_bytes = kAnswerBytesMax;
  request.isolation_level = options_.read_committed ? 1 : 0;
  Versions versions;
  for (const auto& [name, topic] : topics_) {
    wire::FetchRequest::FetchTopic asked{
        .topic = name, .topic_id = topic.info.id, .partitions = {}};
    for (const Partition& partition : topic.partitions) {
      auto index = static_cast<std::size_t>(partition.index);
      if (partition.done || topic.info.partitions.at(index).leader != leader) continue;
      asked.partitions.push_back({.partition = partition.index,
                                  .fetch_offset = partition.range.next,
                                  .partition_max_bytes = kPartitionBytesMax});
    }
    if (asked.partitions.empty()) continue;
    // The answer fills up from the front: everyone is there once in a while.
    std::ranges::rotate(
        asked.partitions,
        asked.partitions.begin() + static_cast<std::ptrdiff_t>(turn_ % asked.partitions.size()));
    request.topics.push_back(std::move(asked));
    if (topic.info.id.is_zero()) versions.max = 12;
  }
  Deadline patient = cluster_.deadline();
  auto connection = cluster_.connect(Target::broker_id(leader), patient, kFetchLane);
  if (!connection) return note(connection.error());
  if (auto sent = (*connection)->send(request, patient, versions); !sent) {
    return note(sent.error());
  }
  pending_[leader] = {.connection = *connection, .assignment = assignment_};
}

void Fetcher::take(std::int32_t leader, const Sink& sink, bool& got) {
  Pending pending = pending_.at(leader);
  pending_.erase(leader);
  auto reply = pending.connection->receive<wire::FetchResponse>(cluster_.deadline());
  if (!reply) return note(reply.error());
  if (pending.assignment != assignment_) return;
  if (reply->body.error_code != wire::ErrorCode::kNone) {
    return note(refusal(fmt::format("broker {}", leader), reply->body.error_code));
  }
  bool healthy = true;
  for (const auto& answered : reply->body.responses) {
    Topic* topic = find_topic(answered);
    if (!topic) continue;
    for (const auto& data : answered.partitions) {
      auto partition =
          std::ranges::find(topic->partitions, data.partition_index, &Partition::index);
      if (partition == topic->partitions.end() || partition->done) continue;
      if (data.error_code != wire::ErrorCode::kNone) healthy = false;
      if (!take_partition(*topic, *partition, data, sink, got)) return;
    }
  }
  if (healthy) patience_.reset();
}

Fetcher::Topic* Fetcher::find_topic(const wire::FetchResponse::FetchableTopicResponse& answered) {
  for (auto& [name, topic] : topics_) {
    bool same =
        answered.topic_id.is_zero() ? answered.topic == name : answered.topic_id == topic.info.id;
    if (same) return &topic;
  }
  return nullptr;
}

// False when the sink has had enough.
bool Fetcher::take_partition(Topic& topic, Partition& partition,
                             const wire::FetchResponse::PartitionData& data, const Sink& sink,
                             bool& got) {
  if (data.error_code == wire::ErrorCode::kNone) {
    return take_records(topic, partition, data, sink, got);
  }
  if (data.error_code == wire::ErrorCode::kOffsetOutOfRange) {
    out_of_range(topic, partition);
  } else {
    note(
        refusal(fmt::format("partition {}-{}", topic.info.name, partition.index), data.error_code));
  }
  return true;
}

bool Fetcher::take_records(Topic& topic, Partition& partition,
                           const wire::FetchResponse::PartitionData& data, const Sink& sink,
                           bool& got) {
  std::vector<AbortedRange> aborted;
  if (options_.read_committed && data.aborted_transactions) {
    for (const auto& range : *data.aborted_transactions) {
      aborted.push_back({range.producer_id, range.first_offset});
    }
  }
  Message common{.topic = topic.info.name, .partition = partition.index};
  Range& range = partition.range;
  bool enough = false;
  auto on_record = [&](const Message& message) {
    partition.done = (range.end && message.offset >= *range.end) ||
                     (range.end_time && message.timestamp >= *range.end_time);
    if (partition.done) return false;
    got = true;
    enough = !sink(message);
    // Positions follow record by record: the sink may ask for them, or throw.
    range.next = message.offset + 1;
    return !enough;
  };
  auto walked = walk_batches(data.records.bytes, range.next, std::move(aborted), common, on_record);
  if (!walked) {
    throw Failure(
        fmt::format("partition {}-{}: {}", topic.info.name, partition.index, walked.error()),
        "the data is damaged, at rest or on its way: look at the segment with "
        "`moldau log dump`");
  }
  if (!walked->stopped && walked->next > range.next) {
    got = true;
    range.next = walked->next;
  }
  if (range.end && range.next >= *range.end) partition.done = true;
  return !enough;
}

// What was there is gone (retention): goes on from the first record there is. An offset past the
// end was never there: a mistake.
void Fetcher::out_of_range(Topic& topic, Partition& partition) {
  // Two questions: a broker refuses to be asked twice about a partition in one.
  auto ask = [&](std::int64_t when) {
    return list_offsets(cluster_, topic.info, {{partition.index, when}}, false)[0].value_or(0);
  };
  std::int64_t start = ask(kEarliest);
  std::int64_t end = ask(kLatest);
  std::int64_t asked = partition.range.next;
  if (asked > end) {
    throw Failure(fmt::format("partition {}-{}: offset {} is past the end", topic.info.name,
                              partition.index, asked),
                  fmt::format("its offsets are {} to {}", start, end));
  }
  if (asked >= start) return;  // it was a matter of time
  warn_(fmt::format("partition {}-{}: offset {} is gone, going on from {}", topic.info.name,
                    partition.index, asked, start));
  partition.range.next = start;
  if (partition.range.end && start >= *partition.range.end) partition.done = true;
}

void Fetcher::note(const Trouble& trouble) {
  if (interrupted()) throw Interrupted{};
  if (!patience_) patience_ = cluster_.deadline();
  if (!trouble.retriable || patience_->passed()) throw Failure(trouble.what, trouble.hint);
  stale_ = true;
}

void Fetcher::refresh(Deadline until) {
  pause_for(std::min(milliseconds(100), until.left()));
  for (auto& [name, topic] : topics_) {
    auto fresh = cluster_.try_topic(name, false, cluster_.deadline());
    if (!fresh) return note(fresh.error());
    topic.info = std::move(*fresh);
  }
  stale_ = false;
}

}  // namespace cli
