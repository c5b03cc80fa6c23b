// The configs of the transaction coordinator.
#include "common/config/tables.h"

namespace config {
namespace {

constexpr Def kDefs[] = {
    {.name = "transaction.abort.timed.out.transaction.cleanup.interval.ms",
     .type = Type::kInt,
     .default_value = "10000",
     .allowed = {.min = 1},
     .importance = Importance::kLow,
     .documentation = "Time between two looks for transactions that are open too long."},
    {.name = "transaction.max.timeout.ms",
     .type = Type::kInt,
     .default_value = "900000",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Longest transaction timeout that a producer may ask for."},
    {.name = "transaction.remove.expired.transaction.cleanup.interval.ms",
     .type = Type::kInt,
     .default_value = "3600000",
     .allowed = {.min = 1},
     .importance = Importance::kLow,
     .documentation = "Time between two looks for transactional ids that nobody uses."},
    {.name = "transaction.state.log.min.isr",
     .type = Type::kInt,
     .default_value = "2",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation =
         "min.insync.replicas of the transaction topic; as many as it has replicas, if "
         "those are fewer."},
    {.name = "transaction.state.log.num.partitions",
     .type = Type::kInt,
     .default_value = "50",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Partitions of the transaction topic; not to be changed once it "
                      "exists."},
    {.name = "transaction.state.log.replication.factor",
     .type = Type::kShort,
     .default_value = "3",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Replicas of the transaction topic; as many as there are brokers, if "
                      "those are fewer."},
    {.name = "transaction.state.log.segment.bytes",
     .type = Type::kInt,
     .default_value = "104857600",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "segment.bytes of the transaction topic."},
    {.name = "transactional.id.expiration.ms",
     .type = Type::kInt,
     .default_value = "604800000",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Time after which an idle transactional id is forgotten."},
};

}  // namespace

std::span<const Def> effective_broker_txn_defs() { return kDefs; }

}  // namespace config
