// ListOffsets, versions 1-11: by timestamp, and the special ones -1 latest, -2 earliest, -3 largest
// timestamp, -4 earliest local, -5 latest tiered, -6 earliest to be tiered. Nothing is tiered here.
//
// "Latest" waits until what was written when it was asked for is durable here where the topic says
// so: who produced with acks=1 to the only replica and then asks for the end finds the records.
// A leader that is new, and whose high watermark has not reached what its predecessor may have
// shown, says OFFSET_NOT_AVAILABLE (KIP-207).
#include <algorithm>
#include <memory>

#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/base/timer_wheel.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

enum Special : std::int64_t {
  kLatest = -1,
  kEarliest = -2,
  kMaxTimestamp = -3,
  kEarliestLocal = -4,
  kLatestTiered = -5,
  kEarliestPendingUpload = -6,
};

// First version that knows a special timestamp.
std::int16_t since(std::int64_t timestamp) {
  switch (timestamp) {
    case kMaxTimestamp:
      return 7;
    case kEarliestLocal:
      return 8;
    case kLatestTiered:
      return 9;
    case kEarliestPendingUpload:
      return 11;
    default:
      return 0;
  }
}

class ListOffsetsOperation final : public PartitionListener,
                                   public std::enable_shared_from_this<ListOffsetsOperation> {
 public:
  ListOffsetsOperation(Context& context, const wire::ListOffsetsRequest& request,
                       Reply<wire::ListOffsetsResponse> reply)
      : reactor_(context.reactor),
        read_committed_(request.isolation_level == 1),
        timeout_(std::chrono::milliseconds(
            context.version >= 10 && request.timeout_ms > 0 ? request.timeout_ms : 30'000)),
        reply_(std::move(reply)) {}

  void start(const PartitionTable::Snapshot& table, const wire::ListOffsetsRequest& request) {
    auto self = shared_from_this();
    resolve(table, request);
    timer_.on_fire([this] { on_timeout(); });
    missing_ = 1;
    for (std::size_t i = 0; i < items_.size(); ++i) begin(i);
    if (missing_ > 1) {
      reactor_.executor.timers().set(timer_, reactor_.executor.now() + timeout_);
    }
    one_done();
  }

  void on_partition_event(std::uint64_t tag, ErrorCode error) override {
    Item& item = items_[tag];
    if (answered_ || !item.waiting) return;
    item.waiting = false;
    if (error != ErrorCode::kNone) {
      item.out().error_code = error;
    } else {
      answer_latest(item);
    }
    one_done();
  }

 private:
  struct Item {
    wire::ListOffsetsResponse* response = nullptr;
    std::size_t topic = 0;
    std::size_t place = 0;
    std::int64_t timestamp = 0;
    std::shared_ptr<Partition> partition;
    bool waiting = false;
    wire::ListOffsetsResponse::ListOffsetsPartitionResponse& out() {
      return response->topics[topic].partitions[place];
    }
  };

  void resolve(const PartitionTable::Snapshot& table, const wire::ListOffsetsRequest& request) {
    for (const auto& topic : request.topics) {
      auto& out_topic = response_.topics.emplace_back();
      out_topic.name = topic.name;
      for (const auto& asked : topic.partitions) {
        auto& out = out_topic.partitions.emplace_back();
        out.partition_index = asked.partition_index;
        auto [partition, error] = find_partition(table, topic.name, asked.partition_index);
        if (partition != nullptr) {
          error = check_leader(partition->bounds(), asked.current_leader_epoch);
        }
        if (asked.timestamp < kEarliestPendingUpload || reply_.version() < since(asked.timestamp)) {
          error = ErrorCode::kUnsupportedVersion;
        }
        out.error_code = error;
        if (error != ErrorCode::kNone) continue;
        items_.push_back({.response = &response_,
                          .topic = response_.topics.size() - 1,
                          .place = out_topic.partitions.size() - 1,
                          .timestamp = asked.timestamp,
                          .partition = std::move(partition)});
      }
    }
  }

  void begin(std::size_t i) {
    Item& item = items_[i];
    switch (item.timestamp) {
      case kLatest: {
        const auto end = item.partition->bounds().end;
        if (item.partition->await_flushed(end, reactor_.executor, shared_from_this(), i)) {
          return answer_latest(item);
        }
        item.waiting = true;
        ++missing_;
        return;
      }
      case kEarliest:
      case kEarliestLocal:
        return put(item, item.partition->bounds().start, -1);
      case kLatestTiered:
      case kEarliestPendingUpload:
        return;  // -1, -1: there is none
      default:
        return look_up(i);
    }
  }

  // Searches run elsewhere: they may read what is cold.
  void look_up(std::size_t i) {
    Item& item = items_[i];
    ++missing_;
    item.waiting = true;
    const auto bounds = item.partition->bounds();
    if (is_too_early(item, bounds)) {
      --missing_;
      item.waiting = false;
      return;
    }
    const base::Offset bound = read_committed_ ? bounds.last_stable : bounds.visible;
    auto lookup = item.partition->with_log([&](Log& log) {
      return std::make_shared<OffsetLookup>(item.timestamp == kMaxTimestamp
                                                ? log.prepare_max_timestamp(bound)
                                                : log.prepare_lookup(item.timestamp, bound));
    });
    using Found = io::IoResult<std::optional<TimestampedOffset>>;
    auto found = std::make_shared<Found>();
    reactor_.executor.blocking([lookup, found] { *found = lookup->run(); },
                               [self = shared_from_this(), found, i] { self->found(i, *found); });
  }

  void found(std::size_t i, const io::IoResult<std::optional<TimestampedOffset>>& result) {
    Item& item = items_[i];
    if (answered_ || !item.waiting) return;
    item.waiting = false;
    auto& out = item.out();
    if (!result) {
      out.error_code = result.error().code == EBADMSG ? ErrorCode::kCorruptMessage
                                                      : ErrorCode::kKafkaStorageError;
    } else if (*result) {
      out.offset = (*result)->offset.value();
      out.timestamp = (*result)->timestamp;
      out.leader_epoch = (*result)->leader_epoch.value();
    }
    one_done();
  }

  bool is_too_early(Item& item, const Partition::Bounds& bounds) {
    ErrorCode error = check_leader(bounds);
    if (error == ErrorCode::kNone && bounds.visible < bounds.epoch_start) {
      error =
          reply_.version() >= 5 ? ErrorCode::kOffsetNotAvailable : ErrorCode::kLeaderNotAvailable;
    }
    item.out().error_code = error;
    return error != ErrorCode::kNone;
  }

  void answer_latest(Item& item) {
    const auto bounds = item.partition->bounds();
    if (is_too_early(item, bounds)) return;
    put(item, read_committed_ ? bounds.last_stable : bounds.visible, bounds.leader_epoch.value());
  }

  void put(Item& item, base::Offset offset, std::int32_t leader_epoch) {
    auto& out = item.out();
    out.offset = offset.value();
    out.timestamp = -1;
    if (leader_epoch < 0) {
      leader_epoch = item.partition->with_log([&](Log& log) {
        return log.epochs().epoch_at(offset).value_or(base::LeaderEpoch(-1)).value();
      });
    }
    out.leader_epoch = leader_epoch;
  }

  void on_timeout() {
    auto self = shared_from_this();
    for (auto& item : items_) {
      if (!item.waiting) continue;
      item.waiting = false;
      item.partition->stop_waiting(this);
      item.out().error_code = ErrorCode::kRequestTimedOut;
    }
    missing_ = 1;
    one_done();
  }

  void one_done() {
    if (--missing_ > 0) return;
    answered_ = true;
    timer_.cancel();
    reply_(response_);
  }

  Reactor& reactor_;
  const bool read_committed_;
  const base::Duration timeout_;
  Reply<wire::ListOffsetsResponse> reply_;
  wire::ListOffsetsResponse response_;
  std::vector<Item> items_;
  std::size_t missing_ = 0;
  bool answered_ = false;
  base::Timer timer_;
};

}  // namespace

void list_offsets(Context& context, const wire::ListOffsetsRequest& request,
                  Reply<wire::ListOffsetsResponse> reply) {
  std::make_shared<ListOffsetsOperation>(context, request, std::move(reply))
      ->start(*context.node.partitions->snapshot(), request);
}

}  // namespace broker::api
