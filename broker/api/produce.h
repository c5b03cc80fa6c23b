// Produce, versions 0-13. Deviations from Apache Kafka: records are not walked unless the topic
// asks for it (docs/decisions/0005-batches-stored-as-sent.md). Versions 0-2 are advertised because
// old librdkafka looks for them, and refused per partition, as Kafka does (KAFKA-18659).
//
// The requests that one wake brought are run together: batches are checked one by one, then every
// partition takes all of its batches with one write, and each request is answered when its own
// batches are acknowledged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/api/handler.h"
#include "broker/api/table.h"
#include "broker/node/partition.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/timer_wheel.h"
#include "common/record/batch_view.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"

namespace broker::api {

// One Produce request from its arrival to its answer. On the connection's reactor only.
class ProduceOperation final : public PartitionListener,
                               public std::enable_shared_from_this<ProduceOperation> {
 public:
  // Null when the body is malformed. Views into the frame are used until run_produce_operations.
  static std::shared_ptr<ProduceOperation> parse(Context& context, wire::Reader& body,
                                                 PendingReply reply);
  ProduceOperation(Context& context, PendingReply reply);

  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override;

 private:
  friend void run_produce_operations(Node& node,
                                     std::span<const std::shared_ptr<ProduceOperation>> run);

  // One partition of the request.
  struct Item {
    std::shared_ptr<Partition> partition;
    BatchAppend append;
    std::size_t topic = 0;  // position in the request
    std::int32_t index = 0;
    bool fit = false;                         // passed the checks: to be appended
    bool waiting = false;                     // for its commit
    bool in_line = false;                     // behind other batches that may begin a transaction
    std::optional<txn::Producer> unverified;  // waits for the coordinator; append has a guard
    std::vector<wire::ProduceResponse::BatchIndexAndErrorMessage> record_errors;
  };

  void check(Node& node);
  void check_batch(Node& node, Item& item, const wire::Records& records);
  void refuse(Item& item, wire::ErrorCode error, std::string message = {});
  // produce_txn.cc: batches that may begin a transaction in their partition.
  bool needs_verification(Item& item, const record::BatchView& batch);
  void stand_in_line();
  void on_turn(wire::ErrorCode error);
  void leave_line(wire::ErrorCode why);
  void verify();
  void on_verified(const std::vector<wire::ErrorCode>& errors);
  bool must_ask_again() const;
  void ask_again();
  void take_verdict(Item& item, wire::ErrorCode error);
  // After the appends: waits for what must be committed, or answers.
  void settle();
  void on_timeout();
  void hint(const Item& item, wire::ProduceResponse& response,
            wire::ProduceResponse::PartitionProduceResponse& out) const;
  void answer();
  void answer_without_response();

  Node& node_;
  Reactor& reactor_;
  std::string client_id_;
  std::string listener_;
  wire::ProduceRequest request_;
  Reply<wire::ProduceResponse> reply_;
  std::vector<Item> items_;
  std::size_t waiting_ = 0;
  std::size_t unverified_ = 0;
  std::size_t in_line_ = 0;
  std::optional<base::Instant> verify_until_;
  std::chrono::milliseconds ask_again_after_{1};
  std::shared_ptr<ProduceOperation> self_;  // set while only the timer knows of it
  bool answered_ = false;
  base::Timer timeout_;
};

void run_produce_operations(Node& node, std::span<const std::shared_ptr<ProduceOperation>> run);

}  // namespace broker::api
