// The transaction coordinators of this broker: one shard for each partition of __transaction_state
// that it leads. Routes requests to shards, makes the topic when it is first needed, follows the
// metadata, and asks other brokers' coordinators for those who write here. docs/transactions.md.
//
//   handler (any reactor) -> ask() -> the shard's reactor -> core -> append, commit -> back
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/node/node.h"
#include "broker/txn/txn_coordinator.h"
#include "common/io/executor.h"
#include "common/meta/delta.h"
#include "common/wire/error_code.h"

namespace broker {

class CoordinatorTopic;
class TxnShard;

using TxnRequest = std::variant<txn::InitProducer, txn::AddPartitions, txn::EndTransaction,
                                txn::ListTransactions, txn::DescribeTransaction>;
// The shard's answer, or why no shard could be asked: COORDINATOR_LOAD_IN_PROGRESS,
// NOT_COORDINATOR.
using TxnAnswer = std::expected<txn::Response, wire::ErrorCode>;
using TxnDone = std::move_only_function<void(TxnAnswer)>;

inline constexpr std::string_view kTransactionsTopic = "__transaction_state";

class TxnCoordinators {
 public:
  explicit TxnCoordinators(Node& node);
  ~TxnCoordinators();
  TxnCoordinators(const TxnCoordinators&) = delete;
  TxnCoordinators& operator=(const TxnCoordinators&) = delete;

  // Home. In order, after hosting was told of the same change.
  void on_change(const meta::ImagePtr& before, const meta::ImagePtr& after,
                 const meta::Delta& delta);
  // Home. Tells every waiting request NOT_COORDINATOR; nothing is asked afterwards.
  void stop();

  // Any thread. `done` comes once, on `back`: from within this call or later.
  void ask(const std::string& id, TxnRequest request, io::Executor& back, TxnDone done);
  // On `back`. The same to every shard of this broker; `done` gets one answer each.
  void ask_all(const txn::ListTransactions& request, io::Executor& back,
               std::move_only_function<void(std::vector<TxnAnswer>)> done);

  // Any thread. Where an id's coordinator is, the topic being made if there is none. `done` comes
  // once, on `back`.
  struct Place {
    wire::ErrorCode error = wire::ErrorCode::kNone;
    std::string message;
    base::BrokerId broker{-1};
  };
  void find(const std::string& id, io::Executor& back, std::move_only_function<void(Place)> done);

  // On `reactor`. Asks the id's coordinator, wherever it is, whether partitions are in the
  // transaction, or to add them (request.verify_only). One error for each partition; answers to
  // one reactor about one id come in the order asked. What a coordinator that cannot be asked
  // comes to: NOT_ENOUGH_REPLICAS, which every client retries.
  using Verified = std::move_only_function<void(std::vector<wire::ErrorCode>)>;
  void verify(Reactor& reactor, txn::AddPartitions request, Verified done);

  // Any thread: sums over the shards.
  struct Totals {
    std::uint64_t shards = 0;
    std::uint64_t shards_loading = 0;
    std::uint64_t ids = 0;
    std::uint64_t open = 0;
    txn::Stats stats;
  };
  Totals totals() const;

 private:
  using Shards = std::vector<std::shared_ptr<TxnShard>>;  // by partition; null: not ours

  void update(const meta::ImagePtr& image);
  void verify_remote(Reactor& reactor, base::BrokerId coordinator,
                     const txn::AddPartitions& request, Verified done);
  Place place_of(std::string_view id, const meta::Topic& topic, const meta::Image& image) const;

  Node& node_;
  std::atomic<std::shared_ptr<const Shards>> shards_;
  std::unique_ptr<CoordinatorTopic> topic_;
  std::shared_ptr<bool> alive_;  // home; false after stop()
};

}  // namespace broker
