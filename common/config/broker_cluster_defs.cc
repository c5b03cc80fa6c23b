// The configs that make a broker one of a cluster: controllers, liveness, replication.
#include "common/config/tables.h"

namespace config {
namespace {

constexpr std::string_view kSelectors[] = {
    "", "org.apache.kafka.common.replica.LeaderSelector",
    "org.apache.kafka.common.replica.RackAwareReplicaSelector"};

constexpr Def kDefs[] = {
    {.name = "auto.leader.rebalance.enable",
     .type = Type::kBoolean,
     .default_value = "true",
     .importance = Importance::kHigh,
     .documentation =
         "Whether leaderships go back to preferred replicas by themselves, once they are "
         "in sync. The controllers' value counts."},
    {.name = "broker.heartbeat.interval.ms",
     .type = Type::kInt,
     .default_value = "500",
     .allowed = {.min = 10},
     .documentation = "Time between two heartbeats of a broker to the controller."},
    {.name = "broker.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "3000",
     .allowed = {.min = 100},
     .documentation = "Time without a heartbeat after which a broker counts as lost. The "
                      "controllers' value counts."},
    {.name = "controlled.shutdown.enable",
     .type = Type::kBoolean,
     .default_value = "true",
     .documentation = "Whether a broker hands its leaderships over before it ends."},
    {.name = "controller.quorum.voters",
     .type = Type::kList,
     .default_value = "",
     .allowed = {.check = check_voters},
     .importance = Importance::kHigh,
     .documentation = "The controllers, as id@host:port."},
    {.name = "follower.replication.throttled.rate",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 0},
     .change = Change::kClusterWide,
     .documentation = "Bytes a second that the broker may copy of replicas that the topics' "
                      "follower.replication.throttled.replicas name and that are not in sync."},
    {.name = "inter.broker.listener.name",
     .type = Type::kString,
     .default_value = std::nullopt,
     .documentation = "Listener that brokers use among themselves; INTERNAL where there is one of "
                      "that name, else the first."},
    {.name = "leader.imbalance.check.interval.seconds",
     .type = Type::kLong,
     .default_value = "10",
     .allowed = {.min = 1, .max = 86400},
     .importance = Importance::kHigh,
     .documentation = "Time between two looks at whether preferred replicas may lead again. The "
                      "controllers' value counts."},
    {.name = "leader.replication.throttled.rate",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 0},
     .change = Change::kClusterWide,
     .documentation = "Bytes a second that the broker may send of partitions that the topics' "
                      "leader.replication.throttled.replicas name, to replicas that are not in "
                      "sync."},
    {.name = "moldau.balance.new.brokers",
     .type = Type::kBoolean,
     .default_value = "true",
     .documentation = "Whether replicas move to a broker that is new to the cluster until it has "
                      "its share, a few at a time. The controllers' value counts."},
    {.name = "moldau.recall.clients.enable",
     .type = Type::kBoolean,
     .default_value = "true",
     .documentation =
         "Whether the broker ends its clients' connections once, as soon as nothing is "
         "under way on them, when another broker has fallen silent, so that they ask "
         "who leads now instead of waiting for it."},
    {.name = "num.replica.fetchers",
     .type = Type::kInt,
     .default_value = "1",
     .allowed = {.min = 1, .max = 64},
     .importance = Importance::kHigh,
     .documentation = "Connections over which a follower copies from each leader."},
    {.name = "replica.alter.log.dirs.io.max.bytes.per.second",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 0},
     .change = Change::kClusterWide,
     .documentation = "Bytes a second that the broker may copy between its log directories."},
    {.name = "replica.fetch.max.bytes",
     .type = Type::kInt,
     .default_value = "1048576",
     .allowed = {.min = 0},
     .documentation = "Bytes that a follower asks of one partition at once; a larger batch comes "
                      "all the same."},
    {.name = "replica.fetch.min.bytes",
     .type = Type::kInt,
     .default_value = "1",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Bytes that a follower waits for."},
    {.name = "replica.fetch.response.max.bytes",
     .type = Type::kInt,
     .default_value = "10485760",
     .allowed = {.min = 0},
     .documentation = "Bytes that a follower asks for at once."},
    {.name = "replica.fetch.wait.max.ms",
     .type = Type::kInt,
     .default_value = "500",
     .allowed = {.min = 1},
     .importance = Importance::kHigh,
     .documentation = "Time that a follower's fetch may wait."},
    {.name = "replica.selector.class",
     .type = Type::kString,
     .default_value = std::nullopt,
     .allowed = {.one_of = kSelectors},
     .documentation = "Where consumers read: from the leader (the default), or, with "
                      "org.apache.kafka.common.replica.RackAwareReplicaSelector, from a replica "
                      "in sync whose broker.rack is their client.rack."},
    {.name = "unclean.leader.election.enable",
     .type = Type::kBoolean,
     .default_value = "false",
     .importance = Importance::kHigh,
     .change = Change::kClusterWide,
     .documentation = "Default of the topic config of the same name."},
};

}  // namespace

std::span<const Def> effective_broker_cluster_defs() { return kDefs; }

}  // namespace config
