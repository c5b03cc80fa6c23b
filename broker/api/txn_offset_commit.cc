// TxnOffsetCommit 0-5: offsets of a group within a transaction. Before the first of a transaction
// the transaction's coordinator is asked whether the group's partition is in it (up to 4), or to
// add it (5; KIP-890).
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/txn_handlers.h"
#include "broker/group/partition_of.h"
#include "broker/node/partition.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kLoadInProgressSince = 2;
constexpr std::int16_t kAbortableSince = 4;
constexpr std::int16_t kImplicitSince = 5;
constexpr int kBrokenGuardsMax = 5;

struct Slot {
  std::size_t topic = 0;
  std::size_t partition = 0;
};

struct Asked {
  Reply<wire::TxnOffsetCommitResponse> reply;
  wire::TxnOffsetCommitResponse response;
  std::vector<Slot> slots;  // of what the coordinator is asked for, in its order
  group::CommitOffsets commit;
  txn::AddPartitions ask;
  int broken_guards = 0;
  GroupCaller caller;
  Node& node;

  void finish(ErrorCode error) {
    for (const Slot& slot : slots) {
      response.topics[slot.topic].partitions[slot.partition].error_code = told(error);
    }
    reply(response);
  }
  ErrorCode told(ErrorCode error) const {
    if (error == ErrorCode::kNotEnoughReplicas) error = ErrorCode::kCoordinatorNotAvailable;
    const std::int16_t version = reply.version();
    if (error == ErrorCode::kCoordinatorLoadInProgress && version < kLoadInProgressSince) {
      return ErrorCode::kCoordinatorNotAvailable;
    }
    if (error == ErrorCode::kTransactionAbortable && version < kAbortableSince) {
      return ErrorCode::kInvalidTxnState;
    }
    return error;
  }
};

void sort_out(const meta::Image& image, const wire::TxnOffsetCommitRequest& request, Asked& to) {
  for (const auto& topic : request.topics) {
    const meta::Topic* known = image.topic(topic.name);
    auto& out = to.response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      const std::int32_t index = partition.partition_index;
      auto& answer = out.partitions.emplace_back();
      answer.partition_index = index;
      if (known == nullptr || index < 0 ||
          static_cast<std::size_t>(index) >= known->partitions.size()) {
        answer.error_code = ErrorCode::kUnknownTopicOrPartition;
        continue;
      }
      to.slots.push_back({to.response.topics.size() - 1, out.partitions.size() - 1});
      to.commit.partitions.push_back({.at = {known->name, index},
                                      .topic_id = known->id,
                                      .offset = partition.committed_offset,
                                      .leader_epoch = partition.committed_leader_epoch,
                                      .metadata = partition.committed_metadata.value_or("")});
    }
  }
}

void commit(std::shared_ptr<Asked> asked, std::shared_ptr<Partition> partition) {
  const auto producer = asked->commit.producer->id;
  const auto guard = asked->commit.guard;
  const std::string group_id = asked->commit.group_id;
  GroupCoordinators& groups = *asked->node.groups;
  groups.ask(group_id, asked->caller, std::move(asked->commit),
             [asked, partition, producer, guard](GroupAnswer answer) {
               if (guard) partition->end_verification(producer, *guard);
               if (!answer) return asked->finish(answer.error());
               const auto& committed = std::get<group::OffsetsCommitted>(*answer);
               for (std::size_t i = 0; i < asked->slots.size(); ++i) {
                 const Slot& slot = asked->slots[i];
                 asked->response.topics[slot.topic].partitions[slot.partition].error_code =
                     asked->told(committed.partitions[i].error);
               }
               asked->reply(asked->response);
             });
}

// A marker that comes meanwhile may be that of the transaction before: asked again, the coordinator
// tells.
void verify(Reactor& reactor, std::shared_ptr<Asked> asked, std::shared_ptr<Partition> partition) {
  TxnCoordinators& transactions = *asked->node.transactions;
  txn::AddPartitions ask = asked->ask;
  transactions.verify(reactor, std::move(ask),
                      [&reactor, asked, partition](const std::vector<ErrorCode>& errors) mutable {
                        const auto producer = asked->commit.producer->id;
                        const std::optional<TxnGuard>& guard = asked->commit.guard;
                        ErrorCode error = errors.at(0);
                        if (error == ErrorCode::kNone) {
                          if (partition->is_verified(producer, *guard))
                            return commit(asked, partition);
                          if (++asked->broken_guards < kBrokenGuardsMax) {
                            partition->renew_verification(producer, *guard);
                            return verify(reactor, asked, partition);
                          }
                          error = ErrorCode::kCoordinatorLoadInProgress;  // the client tries again
                        }
                        partition->end_verification(producer, *guard);
                        asked->finish(error);
                      });
}

}  // namespace

void txn_offset_commit(Context& context, const wire::TxnOffsetCommitRequest& request,
                       Reply<wire::TxnOffsetCommitResponse> reply) {
  auto asked = std::make_shared<Asked>(Asked{.reply = std::move(reply),
                                             .response = {},
                                             .slots = {},
                                             .commit = {},
                                             .ask = {},
                                             .caller = group_caller(context),
                                             .node = context.node});
  sort_out(*context.node.image(), request, *asked);
  if (asked->slots.empty()) return asked->reply(asked->response);
  asked->commit.group_id = request.group_id;
  asked->commit.generation = request.generation_id_or_member_epoch;
  asked->commit.member_id = request.member_id;
  asked->commit.instance_id = request.group_instance_id;
  asked->commit.producer = group::Producer{base::ProducerId(request.producer_id),
                                           base::ProducerEpoch(request.producer_epoch)};
  if (request.group_id.empty()) return asked->finish(ErrorCode::kInvalidGroupId);
  if (request.transactional_id.empty()) return asked->finish(ErrorCode::kInvalidRequest);
  const auto partition = context.node.groups->partition_of(request.group_id);
  if (partition == nullptr) return asked->finish(ErrorCode::kNotCoordinator);
  const auto producer = *asked->commit.producer;
  asked->commit.guard = partition->begin_verification(producer.id, producer.epoch);
  if (!asked->commit.guard) return commit(std::move(asked), partition);
  asked->ask = {
      .id = request.transactional_id,
      .producer = {producer.id, producer.epoch},
      .partitions = {{partition->topic(), partition->index()}},
      .verify_only = context.version < kImplicitSince,
      .client_version = static_cast<std::int16_t>(context.version < kImplicitSince ? 0 : 2)};
  verify(context.reactor, std::move(asked), partition);
}

}  // namespace broker::api
