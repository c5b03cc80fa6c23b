// One shard of the transaction coordinator: every transactional id that hashes to one partition of
// __transaction_state. Decides, never does: no clock, no I/O, no threads. Owned by
// node::TxnShard, which calls it from one executor only. Spec: docs/transactions.md.
//
// The state is what the log says and follows a record as soon as it leaves; answers and marker
// orders that tell of it leave once it is committed. A restart is a replay.
//
// Invariants: every token is answered exactly once; a producer's epoch never falls, and rises with
// every new owner and, from transaction version 2 on, with every transaction; markers are ordered
// only for what is durably prepared, and a transaction is complete only when all are written.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/txn/config.h"
#include "broker/txn/ids.h"
#include "broker/txn/record_codec.h"
#include "broker/txn/transaction.h"
#include "common/base/time.h"
#include "common/wire/error_code.h"

namespace broker::txn {

// What comes with every request.
struct Call {
  Token token;
  base::Instant now;  // never goes backwards
  base::WallMs wall_ms = 0;
};

// Append as one batch, in order of number. If that fails the owner calls fail(), drops the shard
// and replays.
struct Append {
  AppendNumber number;
  base::WallMs timestamp_ms = 0;
  std::vector<Record> records;
};

struct Producer {
  base::ProducerId id = kNoProducerId;
  base::ProducerEpoch epoch = kNoEpoch;
  friend bool operator==(const Producer&, const Producer&) = default;
};

// Write the end of a transaction into every partition, retrying until all have it (or are gone),
// then call on_markers_written.
struct MarkerOrder {
  OrderNumber number;
  std::string id;
  Producer producer;
  bool commit = false;
  std::int16_t transaction_version = 0;
  std::vector<TopicPartition> partitions;
};

// ---- requests

struct InitProducer {
  std::string id;  // not empty
  std::int32_t timeout_ms = 0;
  std::optional<Producer> expected;  // of a client that goes on after an error (KIP-360)
};
struct AddPartitions {
  std::string id;
  Producer producer;
  std::vector<TopicPartition> partitions;
  bool verify_only = false;
  std::int16_t client_version = 0;  // 0: the client added them; 2: by its writes
};
struct EndTransaction {
  std::string id;
  Producer producer;
  bool commit = false;
  std::int16_t client_version = 0;  // 2 from EndTxn 5 on
};
struct ListTransactions {
  std::vector<State> states;  // empty: all; `any_state` tells "all" from "none of those known"
  bool any_state = true;
  std::vector<base::ProducerId> producer_ids;  // empty: all
  std::optional<std::int64_t> longer_than_ms;
};
struct DescribeTransaction {
  std::string id;
};

// ---- answers. The errors are those of the newest versions: older ones say
// INVALID_PRODUCER_EPOCH for PRODUCER_FENCED.

struct ProducerAnswer {  // to InitProducer and EndTransaction
  wire::ErrorCode error = wire::ErrorCode::kNone;
  Producer producer;
};
struct PartitionsAnswer {
  wire::ErrorCode error = wire::ErrorCode::kNone;  // of the whole; then `partitions` is empty
  std::vector<wire::ErrorCode> partitions;         // in the order asked
};
struct ListedTransaction {
  std::string id;
  base::ProducerId producer_id;
  State state = State::kEmpty;
};
struct ListAnswer {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::vector<ListedTransaction> transactions;
};
struct DescribeAnswer {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  Transaction transaction;
};

using Response = std::variant<ProducerAnswer, PartitionsAnswer, ListAnswer, DescribeAnswer>;
struct Reply {
  Token token;
  Response response;
};

struct Output {
  std::vector<Append> append;
  std::vector<Reply> reply;          // may leave now
  std::vector<MarkerOrder> markers;  // may be written now
  bool wants_producer_id = false;    // call give_producer_id() once one is there
};

struct Stats {  // counters for the shell to export
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t expired_ids = 0;
};

class TxnCoordinator {
 public:
  explicit TxnCoordinator(const Config& config);

  // ---- loading: records in log order, then finish_replay once, then everything else.
  void replay(base::BytesView key, std::optional<base::BytesView> value);
  void finish_replay(base::Instant now, base::WallMs wall_ms, Output& out);
  std::uint64_t malformed_records() const { return malformed_records_; }

  // ---- requests
  void handle(const Call& call, const InitProducer& request, Output& out);
  void handle(const Call& call, const AddPartitions& request, Output& out);
  void handle(const Call& call, const EndTransaction& request, Output& out);
  void handle(const Call& call, const ListTransactions& request, Output& out);
  void handle(const Call& call, const DescribeTransaction& request, Output& out);

  // ---- the world
  void on_committed(AppendNumber number, Output& out);
  // Who waits for `number` is told COORDINATOR_NOT_AVAILABLE; the records may be committed yet.
  void give_up_waiting(AppendNumber number, Output& out);
  // Every marker of the order is durable. A late word about an older order changes nothing.
  void on_markers_written(OrderNumber number, const std::string& id, base::WallMs wall_ms,
                          Output& out);
  // The answer to wants_producer_id.
  void give_producer_id(std::variant<base::ProducerId, wire::ErrorCode> id, base::Instant now,
                        base::WallMs wall_ms, Output& out);
  // Deadlines: call at or after wake_at().
  void step(base::Instant now, base::WallMs wall_ms, Output& out);
  std::optional<base::Instant> wake_at() const;
  // The shard ends, as `error` says. Answers every waiting request; the owner then drops it.
  void fail(wire::ErrorCode error, Output& out);

  const Stats& stats() const { return stats_; }
  // For tests and invariants.
  using Transactions = std::map<std::string, Transaction, std::less<>>;
  const Transactions& transactions() const { return transactions_; }
  std::size_t open_count() const { return open_count_; }  // Ongoing or being ended
  void check_invariants() const;

 private:
  struct Parked {
    AppendNumber after;
    std::variant<Reply, MarkerOrder> what;
  };
  struct WaitingForId {
    Call call;
    std::variant<InitProducer, EndTransaction> request;
  };

  // answer.cc
  void answer(Token token, Response response, Output& out);
  void answer_after(AppendNumber number, Token token, Response response, Output& out);
  void park(Parked parked);
  void release(std::variant<Reply, MarkerOrder> what, Output& out);
  bool fits(const Transaction& transaction) const;
  void save(Transaction next, base::WallMs wall_ms, Output& out);
  std::optional<base::ProducerId> take_producer_id(const Call& call,
                                                   std::variant<InitProducer, EndTransaction> then,
                                                   Output& out);
  // init.cc
  void init_new(const Call& call, const InitProducer& request, Output& out);
  void init_idle(const Call& call, const InitProducer& request, const Transaction& current,
                 Output& out);
  void fence(const Transaction& current, base::WallMs wall_ms, Output& out);
  // end.cc
  wire::ErrorCode check_end(const EndTransaction& request, const Transaction& current) const;
  void prepare(Transaction next, bool commit, base::WallMs wall_ms, Output& out);
  void order_markers(Transaction& transaction, Output& out);
  // timers.cc
  void abort_timed_out(base::WallMs wall_ms, Output& out);
  void expire_ids(base::WallMs wall_ms, Output& out);

  Transaction* find(std::string_view id);

  const Config config_;
  Transactions transactions_;
  AppendNumber last_append_{};
  AppendNumber committed_{};
  OrderNumber last_order_{};
  std::deque<Parked> parked_;  // by `after`, rising
  std::deque<WaitingForId> waiting_for_id_;
  std::optional<base::ProducerId> spare_id_;
  bool id_asked_ = false;
  base::Instant next_timeout_check_{};
  base::Instant next_expiration_check_{};
  std::size_t open_count_ = 0;
  std::uint64_t malformed_records_ = 0;
  Stats stats_;
};

// What the coordinator's clients are told when an append failed.
wire::ErrorCode coordinator_error(wire::ErrorCode append_error);

}  // namespace broker::txn
