// The handlers of the transaction APIs, one .cc each (txn_*.cc), and what they share.
#pragma once

#include <cstdint>

#include "broker/api/handler.h"
#include "broker/node/txn_coordinator.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/add_offsets_to_txn_request.h"
#include "common/wire/msg/add_offsets_to_txn_response.h"
#include "common/wire/msg/add_partitions_to_txn_request.h"
#include "common/wire/msg/add_partitions_to_txn_response.h"
#include "common/wire/msg/describe_transactions_request.h"
#include "common/wire/msg/describe_transactions_response.h"
#include "common/wire/msg/end_txn_request.h"
#include "common/wire/msg/end_txn_response.h"
#include "common/wire/msg/list_transactions_request.h"
#include "common/wire/msg/list_transactions_response.h"
#include "common/wire/msg/txn_offset_commit_request.h"
#include "common/wire/msg/txn_offset_commit_response.h"
#include "common/wire/msg/write_txn_markers_request.h"
#include "common/wire/msg/write_txn_markers_response.h"

namespace broker::api {

void add_partitions_to_txn(Context& context, const wire::AddPartitionsToTxnRequest& request,
                           Reply<wire::AddPartitionsToTxnResponse> reply);
void add_offsets_to_txn(Context& context, const wire::AddOffsetsToTxnRequest& request,
                        Reply<wire::AddOffsetsToTxnResponse> reply);
void end_txn(Context& context, const wire::EndTxnRequest& request,
             Reply<wire::EndTxnResponse> reply);
void write_txn_markers(Context& context, const wire::WriteTxnMarkersRequest& request,
                       Reply<wire::WriteTxnMarkersResponse> reply);
void txn_offset_commit(Context& context, const wire::TxnOffsetCommitRequest& request,
                       Reply<wire::TxnOffsetCommitResponse> reply);
void describe_transactions(Context& context, const wire::DescribeTransactionsRequest& request,
                           Reply<wire::DescribeTransactionsResponse> reply);
void list_transactions(Context& context, const wire::ListTransactionsRequest& request,
                       Reply<wire::ListTransactionsResponse> reply);

// Clients of before KIP-588 know a fenced producer by its epoch only.
inline wire::ErrorCode fencing_error(wire::ErrorCode error, bool knows_fenced) {
  return error == wire::ErrorCode::kProducerFenced && !knows_fenced
             ? wire::ErrorCode::kInvalidProducerEpoch
             : error;
}

inline txn::Producer producer_of(std::int64_t id, std::int16_t epoch) {
  return {base::ProducerId(id), base::ProducerEpoch(epoch)};
}

}  // namespace broker::api
