// Kafka's record format of __transaction_state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "broker/txn/transaction.h"
#include "common/base/bytes.h"

namespace broker::txn {

// One record for the log. No value: a tombstone.
struct Record {
  base::Bytes key;
  std::optional<base::Bytes> value;
};

struct TransactionRecord {
  std::string id;
  std::optional<Transaction> value;  // nothing: a tombstone
};
struct UnknownRecord {};  // of a kind or version that a newer program wrote
struct MalformedRecord {};
using LogRecord = std::variant<TransactionRecord, UnknownRecord, MalformedRecord>;

Record encode_transaction(const Transaction& transaction);
Record encode_tombstone(std::string_view id);
LogRecord decode_record(base::BytesView key, std::optional<base::BytesView> value);

}  // namespace broker::txn
