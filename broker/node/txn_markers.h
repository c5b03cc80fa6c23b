// The ends of transactions on their way into partitions.
//
//   TxnShard ──▶ MarkerSender ──┬─ our partitions: write_marker()
//                               └─ others': WriteTxnMarkers ──▶ their handler ──▶ write_marker()
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/node/node.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/timer_wheel.h"
#include "common/wire/error_code.h"

namespace broker {

struct TxnMarker {
  txn::Producer producer;
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
  std::int16_t transaction_version = 0;
};

// Writes the marker into a partition of this broker. `done` on `back` (the caller's own executor),
// once it is committed or with why not. In a partition of group offsets the group coordinator
// writes it.
void write_marker(Node& node, const txn::TopicPartition& at, const TxnMarker& marker,
                  io::Executor& back, std::move_only_function<void(wire::ErrorCode)> done);

// Writes the markers of one shard's orders until all are there. Lives on the shard's reactor.
class MarkerSender : public std::enable_shared_from_this<MarkerSender> {
 public:
  using Done = std::function<void(txn::OrderNumber, const std::string& id)>;
  MarkerSender(Node& node, Reactor& reactor, std::int32_t coordinator_epoch, Done done);

  void send(txn::MarkerOrder order);
  // Forgets everything: nothing is done any more.
  void stop();
  std::size_t orders() const { return orders_.size(); }

 private:
  struct Order {
    txn::MarkerOrder what;
    std::set<txn::TopicPartition> missing;
    std::set<txn::TopicPartition> under_way;
  };
  void send_missing(txn::OrderNumber number);
  void send_remote(base::BrokerId broker, txn::OrderNumber number,
                   std::vector<txn::TopicPartition> partitions);
  void on_result(txn::OrderNumber number, const txn::TopicPartition& at, wire::ErrorCode error);
  void retry_later();
  void retry();
  void finish_if_done(txn::OrderNumber number);
  TxnMarker marker_of(const txn::MarkerOrder& order) const;

  Node& node_;
  Reactor& reactor_;
  const std::int32_t coordinator_epoch_;
  Done done_;
  std::map<txn::OrderNumber, Order> orders_;
  base::Timer timer_;
  base::Duration pause_{};
  bool stopped_ = false;
};

}  // namespace broker
