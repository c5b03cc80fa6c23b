#include "cli/client/producer.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/client/partitioner.h"
#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/record/record_view.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"

namespace cli {
namespace {

// Well under the 1 MiB that topics accept by default.
constexpr std::size_t kBatchBytesMax = 512 << 10;
// Over all partitions, before anything is sent.
constexpr std::size_t kPendingBytesMax = 4 << 20;
constexpr std::size_t kRecordSectionMax = 256 << 20;

std::optional<base::BytesView> view_of(const std::optional<std::string>& text) {
  return text ? std::optional(base::as_bytes(*text)) : std::nullopt;
}

}  // namespace

Producer::Producer(Cluster& cluster, const std::string& topic, Options options, Delivered delivered)
    : cluster_(cluster),
      options_(options),
      delivered_(std::move(delivered)),
      topic_(cluster.topic(topic, /*create_missing=*/true)),
      random_(static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count())) {
  pick_sticky();
}

record::BatchOptions Producer::batch_options() const {
  record::BatchOptions options;
  options.codec = options_.codec;
  return options;
}

// Records without a key stay together in one partition until the next sending.
void Producer::pick_sticky() {
  auto count = topic_.partitions.size();
  auto start = random_.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto partition = (start + i) % count;
    sticky_ = static_cast<std::int32_t>(partition);
    if (topic_.partitions[partition].leader >= 0) return;
  }
}

std::int32_t Producer::choose_partition(const Outgoing& record) {
  auto count = static_cast<std::int32_t>(topic_.partitions.size());
  if (record.partition) {
    if (*record.partition < count) return *record.partition;
    throw Failure(fmt::format("topic {} has no partition {}", topic_.name, *record.partition),
                  fmt::format("its partitions are 0 to {}", count - 1));
  }
  return record.key ? partition_of_key(*record.key, count) : sticky_;
}

void Producer::add(Outgoing record, base::WallMs now) {
  std::int32_t partition = choose_partition(record);
  auto found = open_.find(partition);
  if (found == open_.end()) {
    found = open_.try_emplace(partition, Open{record::BatchBuilder(batch_options()), {}, {}}).first;
  }
  Open& open = found->second;
  std::vector<record::HeaderView> headers;
  for (const auto& [name, value] : record.headers) headers.push_back({name, view_of(value)});
  base::WallMs timestamp = record.timestamp.value_or(now);
  std::size_t before = open.builder.uncompressed_size();
  open.builder.add(timestamp, view_of(record.key), view_of(record.value), headers);
  open.indexes.push_back(added_++);
  open.timestamps.push_back(timestamp);
  pending_bytes_ += open.builder.uncompressed_size() - before;
  if (open.builder.uncompressed_size() >= kBatchBytesMax) {
    close(partition, open);
    open_.erase(found);
  }
  if (pending_bytes_ >= kPendingBytesMax) flush();
}

void Producer::close(std::int32_t partition, Open& open) {
  closed_.push_back({.partition = partition,
                     .bytes = open.builder.build(),
                     .indexes = std::move(open.indexes),
                     .timestamps = std::move(open.timestamps)});
}

void Producer::flush() {
  for (auto& [partition, open] : open_) close(partition, open);
  open_.clear();
  // Batches of one partition leave one at a time, in order: a request holds one of each.
  while (!closed_.empty()) {
    cluster_.retry(cluster_.deadline(), [&](Deadline until) { return send_all(until); });
  }
  pending_bytes_ = 0;
  pick_sticky();
}

// Sends the first batch of every partition. True when all of those were taken.
Try<bool> Producer::send_all(Deadline until) {
  if (stale_topic_) {
    auto fresh = cluster_.try_topic(topic_.name, false, until);
    if (!fresh) return std::unexpected(fresh.error());
    topic_ = std::move(*fresh);
    stale_topic_ = false;
  }
  std::optional<Trouble> first;
  auto note = [&](std::optional<Trouble> trouble) {
    if (!trouble) return;
    stale_topic_ = true;
    if (!first || (first->retriable && !trouble->retriable)) first = std::move(trouble);
  };
  std::map<std::int32_t, std::vector<Batch*>> by_leader;
  std::set<std::int32_t> seen;
  for (Batch& batch : closed_) {
    if (!seen.insert(batch.partition).second) continue;
    std::int32_t leader = topic_.partitions.at(static_cast<std::size_t>(batch.partition)).leader;
    if (leader < 0) {
      note(refusal(fmt::format("partition {}-{}", topic_.name, batch.partition),
                   wire::ErrorCode::kLeaderNotAvailable));
    } else {
      by_leader[leader].push_back(&batch);
    }
  }
  std::vector<std::pair<Connection*, const std::vector<Batch*>*>> sent;
  for (const auto& [leader, batches] : by_leader) {
    auto connection = cluster_.connect(Target::broker_id(leader), until);
    if (!connection) {
      note(connection.error());
    } else if (auto trouble = send_to(**connection, batches, until)) {
      note(std::move(trouble));
    } else {
      used_brokers_.insert(leader);
      sent.emplace_back(*connection, &batches);
    }
  }
  for (auto& [connection, batches] : sent) note(take_answers(*connection, *batches, until));
  std::erase_if(closed_, [](const Batch& batch) { return batch.indexes.empty(); });
  closed_.insert(closed_.begin(), std::make_move_iterator(halves_.begin()),
                 std::make_move_iterator(halves_.end()));
  halves_.clear();
  if (first) return std::unexpected(std::move(*first));
  return true;
}

std::optional<Trouble> Producer::send_to(Connection& connection, const std::vector<Batch*>& batches,
                                         Deadline until) {
  wire::ProduceRequest request;
  request.acks = options_.acks;
  request.timeout_ms = cluster_.timeout_ms();
  auto& topic = request.topic_data.emplace_back();
  topic.name = topic_.name;
  topic.topic_id = topic_.id;
  for (const Batch* batch : batches) {
    topic.partition_data.push_back(
        {.index = batch->partition, .records = wire::Records::of(batch->bytes)});
  }
  // Batches of our format exist from version 3 on, zstd from 7, topics by id only from 13.
  Versions versions{.min = 3, .max = INT16_MAX};
  if (options_.codec == record::Codec::kZstd) versions.min = 7;
  if (topic_.id.is_zero()) versions.max = 12;
  auto sent = connection.send(request, until, versions);
  if (!sent) return sent.error();
  return std::nullopt;
}

std::optional<Trouble> Producer::take_answers(Connection& connection,
                                              const std::vector<Batch*>& batches, Deadline until) {
  if (options_.acks == 0) {
    connection.expect_no_answer();
    for (Batch* batch : batches) settle(*batch, wire::ErrorCode::kNone, {}, -1, -1);
    return std::nullopt;
  }
  auto reply = connection.receive<wire::ProduceResponse>(until);
  if (!reply) return reply.error();
  std::optional<Trouble> first;
  for (const auto& topic : reply->body.responses) {
    for (const auto& answer : topic.partition_responses) {
      auto batch = std::ranges::find(batches, answer.index, &Batch::partition);
      if (batch == batches.end()) continue;
      auto message = answer.error_message;
      if (!message && !answer.record_errors.empty()) {
        message = answer.record_errors.front().batch_index_error_message;
      }
      auto trouble = settle(**batch, answer.error_code, message, answer.base_offset,
                            answer.log_append_time_ms);
      if (trouble && (!first || !trouble->retriable)) first = std::move(trouble);
    }
  }
  return first;
}

// Marks the batch as done (no indexes left), or says what is wrong with it.
std::optional<Trouble> Producer::settle(Batch& batch, wire::ErrorCode code,
                                        const std::optional<std::string>& message,
                                        std::int64_t base_offset, base::WallMs log_append_time) {
  if (code == wire::ErrorCode::kMessageTooLarge && split(batch)) return std::nullopt;
  if (code != wire::ErrorCode::kNone) {
    return refusal(fmt::format("partition {}-{}", topic_.name, batch.partition), code, message);
  }
  for (std::size_t i = 0; i < batch.indexes.size(); ++i) {
    Delivery delivery{.index = batch.indexes[i],
                      .partition = batch.partition,
                      .offset = std::nullopt,
                      .timestamp = log_append_time >= 0 ? log_append_time : batch.timestamps[i]};
    if (base_offset >= 0) delivery.offset = base_offset + static_cast<std::int64_t>(i);
    ++delivered_count_;
    delivered_(delivery);
  }
  batch.indexes.clear();
  return std::nullopt;
}

// Replaces a batch of several records by two halves. False when it cannot be made smaller.
bool Producer::split(Batch& batch) {
  if (batch.indexes.size() < 2) return false;
  auto view = record::BatchView::parse(batch.bytes);
  auto section = view ? record::decompress(options_.codec, view->records(), kRecordSectionMax)
                      : std::unexpected(record::DecompressError::kCorrupt);
  if (!section) return false;
  record::RecordReader reader(*section, view->count());
  record::RecordView record;
  std::size_t half = batch.indexes.size() / 2;
  for (std::size_t start : {std::size_t{0}, half}) {
    std::size_t end = start == 0 ? half : batch.indexes.size();
    Open open{record::BatchBuilder(batch_options()), {}, {}};
    for (std::size_t i = start; i < end && reader.next(record); ++i) {
      std::vector<record::HeaderView> headers;
      for (const auto& header : record.headers) headers.push_back(header);
      open.builder.add(batch.timestamps[i], record.key, record.value, headers);
      open.indexes.push_back(batch.indexes[i]);
      open.timestamps.push_back(batch.timestamps[i]);
    }
    halves_.push_back({.partition = batch.partition,
                       .bytes = open.builder.build(),
                       .indexes = std::move(open.indexes),
                       .timestamps = std::move(open.timestamps)});
  }
  batch.indexes.clear();
  return true;
}

void Producer::drain() {
  if (options_.acks != 0) return;
  wire::ApiVersionsRequest request;
  request.client_software_name = "moldau-cli";
  request.client_software_version = "0.1.0";
  for (std::int32_t id : used_brokers_) {
    Deadline until = cluster_.deadline();
    auto connection = cluster_.connect(Target::broker_id(id), until);
    if (!connection) throw Failure(connection.error().what, connection.error().hint);
    auto reply =
        Cluster::exchange<wire::ApiVersionsResponse>(**connection, request, until, {.max = 3});
    if (!reply) throw Failure(reply.error().what, "records sent with acks=0 may be lost");
  }
}

}  // namespace cli
