#include "broker/producer/aborted.h"

namespace broker {
namespace {

constexpr std::int16_t kVersion = 0;
constexpr std::size_t kProducerId = 2;
constexpr std::size_t kFirstOffset = 10;
constexpr std::size_t kLastOffset = 18;
constexpr std::size_t kLastStableOffset = 26;

}  // namespace

void append_aborted_txn(base::Bytes& to, const AbortedTxn& txn) {
  to.resize(to.size() + kAbortedTxnSize);
  std::byte* at = to.data() + to.size() - kAbortedTxnSize;
  base::store_be(at, kVersion);
  base::store_be(at + kProducerId, txn.producer_id.value());
  base::store_be(at + kFirstOffset, txn.first_offset.value());
  base::store_be(at + kLastOffset, txn.last_offset.value());
  base::store_be(at + kLastStableOffset, txn.last_stable_offset.value());
}

std::optional<AbortedTxn> read_aborted_txn(base::BytesView bytes) {
  if (bytes.size() < kAbortedTxnSize) return std::nullopt;
  const std::byte* at = bytes.data();
  if (base::load_be<std::int16_t>(at) != kVersion) return std::nullopt;
  return AbortedTxn{
      .producer_id = base::ProducerId(base::load_be<std::int64_t>(at + kProducerId)),
      .first_offset = base::Offset(base::load_be<std::int64_t>(at + kFirstOffset)),
      .last_offset = base::Offset(base::load_be<std::int64_t>(at + kLastOffset)),
      .last_stable_offset = base::Offset(base::load_be<std::int64_t>(at + kLastStableOffset))};
}

std::optional<AbortedSearch> find_aborted_txns(base::BytesView content, base::Offset start,
                                               base::Offset end) {
  AbortedSearch search;
  for (; !content.empty(); content = content.subspan(kAbortedTxnSize)) {
    const auto txn = read_aborted_txn(content);
    if (!txn) return std::nullopt;
    if (txn->last_offset >= start && txn->first_offset < end) search.found.push_back(*txn);
    if (txn->last_stable_offset >= end) {
      search.complete = true;
      break;
    }
  }
  return search;
}

}  // namespace broker
