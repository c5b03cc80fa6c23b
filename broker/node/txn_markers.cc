#include "broker/node/txn_markers.h"

#include <algorithm>
#include <utility>

#include "broker/node/broker_peers.h"
#include "broker/node/coordinator.h"
#include "broker/node/partition.h"
#include "common/base/mutant.h"
#include "common/record/control.h"
#include "common/wire/msg/write_txn_markers_request.h"
#include "common/wire/msg/write_txn_markers_response.h"

namespace broker {

using wire::ErrorCode;

namespace {

constexpr std::chrono::milliseconds kPauseMin{20};
constexpr std::chrono::milliseconds kPauseMax{1'000};
constexpr std::int16_t kMarkersVersion = 2;

// Waits for one marker to be committed.
class MarkerWait final : public PartitionListener {
 public:
  explicit MarkerWait(std::move_only_function<void(ErrorCode)> done) : done_(std::move(done)) {}
  void on_partition_event(std::uint64_t /*tag*/, ErrorCode error) override { done_(error); }

  std::move_only_function<void(ErrorCode)> done_;
};

}  // namespace

void write_marker(Node& node, const txn::TopicPartition& at, const TxnMarker& marker,
                  io::Executor& back, std::move_only_function<void(ErrorCode)> done) {
  if (at.topic == kOffsetsTopic) {
    return node.groups->end_transaction(
        at.partition,
        {.producer = {marker.producer.id, marker.producer.epoch},
         .marker = {.commit = marker.commit,
                    .coordinator_epoch = marker.coordinator_epoch,
                    .transaction_version = marker.transaction_version}},
        back, std::move(done));
  }
  const auto partition = node.partitions->find(at.topic, at.partition);
  if (partition == nullptr) {
    const bool is_known = node.image()->topic(at.topic) != nullptr;
    return done(is_known ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kUnknownTopicOrPartition);
  }
  base::Bytes bytes = record::build_end_txn_marker(
      {.commit = marker.commit, .coordinator_epoch = marker.coordinator_epoch}, marker.producer.id,
      marker.producer.epoch, node.clock.wall_ms());
  BatchAppend append;
  append.batch = bytes;
  append.acks_all = true;
  append.transaction_version = marker.transaction_version;
  partition->append(append, node.clock.wall_ms(), AppendOrigin::kCoordinator);
  if (append.error != ErrorCode::kNone) return done(append.error);
  auto wait = std::make_shared<MarkerWait>(std::move(done));
  if (partition->await_committed(append.end_offset, back, wait, 0)) wait->done_(ErrorCode::kNone);
}

// ---- the sender

MarkerSender::MarkerSender(Node& node, Reactor& reactor, std::int32_t coordinator_epoch, Done done)
    : node_(node),
      reactor_(reactor),
      coordinator_epoch_(coordinator_epoch),
      done_(std::move(done)) {
  timer_.on_fire([this] { retry(); });
}

TxnMarker MarkerSender::marker_of(const txn::MarkerOrder& order) const {
  return {.producer = order.producer,
          .commit = order.commit,
          .coordinator_epoch = coordinator_epoch_,
          .transaction_version = order.transaction_version};
}

void MarkerSender::stop() {
  stopped_ = true;
  orders_.clear();
  timer_.cancel();
}

void MarkerSender::send(txn::MarkerOrder order) {
  if (stopped_) return;
  const txn::OrderNumber number = order.number;
  Order& entry = orders_[number];
  entry.missing.insert(order.partitions.begin(), order.partitions.end());
  if (MUTANT("txn-forgets-a-marker") && entry.missing.size() > 1) {
    entry.missing.erase(entry.missing.begin());
  }
  entry.what = std::move(order);
  send_missing(number);
}

// Everything that is not under way goes to whoever leads it now. Results may come within.
void MarkerSender::send_missing(txn::OrderNumber number) {
  auto self = shared_from_this();
  const auto image = node_.image();
  Order& order = orders_.at(number);
  std::vector<txn::TopicPartition> ours;
  std::map<base::BrokerId, std::vector<txn::TopicPartition>> others;
  for (auto it = order.missing.begin(); it != order.missing.end();) {
    const txn::TopicPartition at = *it;
    if (order.under_way.contains(at)) {
      ++it;
      continue;
    }
    const meta::Topic* topic = image->topic(at.topic);
    const bool is_gone = topic == nullptr || at.partition < 0 ||
                         static_cast<std::size_t>(at.partition) >= topic->partitions.size();
    if (is_gone) {  // with its topic: nobody reads it any more
      it = order.missing.erase(it);
      continue;
    }
    ++it;
    const base::BrokerId leader = topic->partitions[static_cast<std::size_t>(at.partition)].leader;
    if (leader == base::BrokerId(-1)) {
      retry_later();
      continue;
    }
    order.under_way.insert(at);
    if (leader == node_.broker_id) {
      ours.push_back(at);
    } else {
      others[leader].push_back(at);
    }
  }
  const TxnMarker marker = marker_of(order.what);
  for (auto& [broker, partitions] : others) send_remote(broker, number, std::move(partitions));
  for (const auto& at : ours) {
    write_marker(node_, at, marker, reactor_.executor,
                 [self, number, at](ErrorCode error) { self->on_result(number, at, error); });
  }
  finish_if_done(number);
}

void MarkerSender::send_remote(base::BrokerId broker, txn::OrderNumber number,
                               std::vector<txn::TopicPartition> partitions) {
  const Order& order = orders_.at(number);
  wire::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = order.what.producer.id.value();
  marker.producer_epoch = order.what.producer.epoch.value();
  marker.transaction_result = order.what.commit;
  marker.coordinator_epoch = coordinator_epoch_;
  marker.transaction_version = static_cast<std::int8_t>(order.what.transaction_version);
  for (const auto& at : partitions) {  // sorted by topic: they come out of a set
    if (marker.topics.empty() || marker.topics.back().name != at.topic) {
      marker.topics.push_back({.name = at.topic, .partition_indexes = {}});
    }
    marker.topics.back().partition_indexes.push_back(at.partition);
  }
  node_.peers->call<wire::WriteTxnMarkersResponse>(
      reactor_, broker, request, kMarkersVersion,
      [self = shared_from_this(), number, partitions = std::move(partitions)](
          wire::WriteTxnMarkersResponse* response, const io::IoError&) {
        std::map<txn::TopicPartition, ErrorCode> results;
        if (response != nullptr && !response->markers.empty()) {
          for (const auto& topic : response->markers.front().topics) {
            for (const auto& each : topic.partitions) {
              results[{topic.name, each.partition_index}] = each.error_code;
            }
          }
        }
        for (const auto& at : partitions) {
          const auto result = results.find(at);
          self->on_result(number, at,
                          result == results.end() ? ErrorCode::kNetworkException : result->second);
        }
      });
}

void MarkerSender::on_result(txn::OrderNumber number, const txn::TopicPartition& at,
                             ErrorCode error) {
  const auto found = orders_.find(number);
  if (stopped_ || found == orders_.end()) return;
  Order& order = found->second;
  order.under_way.erase(at);
  // Every error is tried again, if only until the metadata says that somebody else coordinates:
  // a transaction without its end would hold up its readers for ever.
  if (error != ErrorCode::kNone && !MUTANT("txn-ignores-marker-errors")) return retry_later();
  order.missing.erase(at);
  finish_if_done(number);
}

void MarkerSender::finish_if_done(txn::OrderNumber number) {
  const auto found = orders_.find(number);
  if (found == orders_.end() || !found->second.missing.empty()) return;
  const std::string id = found->second.what.id;
  orders_.erase(found);
  if (orders_.empty()) pause_ = {};
  done_(number, id);
}

void MarkerSender::retry_later() {
  if (timer_.is_set()) return;
  pause_ = std::clamp<base::Duration>(pause_ * 2, kPauseMin, kPauseMax);
  reactor_.executor.timers().set(timer_, reactor_.executor.now() + pause_);
}

void MarkerSender::retry() {
  std::vector<txn::OrderNumber> numbers;
  for (const auto& [number, order_] : orders_) numbers.push_back(number);
  for (const auto number : numbers) {
    if (orders_.contains(number)) send_missing(number);
  }
}

}  // namespace broker
