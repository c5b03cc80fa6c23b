// The configs of brokers about groups that have an effect here. Those without are in
// broker_inert_group_defs.cc.
#include "common/config/tables.h"

namespace config {
namespace {

constexpr std::string_view kAssignors[] = {"uniform", "range"};

constexpr std::string_view kMigrationPolicies[] = {"disabled", "upgrade", "downgrade",
                                                   "bidirectional"};

constexpr Def kDefs[] = {
    {.name = "group.consumer.assignment.interval.ms",
     .type = Type::kInt,
     .default_value = "1000",
     .allowed = {.min = 0},
     .change = Change::kClusterWide,
     .documentation = "Shortest time between two assignments of a consumer group; where "
                      "it is not set moldau.group.assignment.interval.ms holds."},
    {.name = "group.consumer.assignors",
     .type = Type::kList,
     .default_value = "uniform,range",
     .allowed = {.one_of = kAssignors},
     .documentation = "Assignors that the broker offers to consumer groups."},
    {.name = "group.consumer.heartbeat.interval.ms",
     .type = Type::kInt,
     .default_value = "5000",
     .allowed = {.min = 1},
     .documentation = "Time between two heartbeats of a member of a consumer group."},
    {.name = "group.consumer.max.assignment.interval.ms",
     .type = Type::kInt,
     .default_value = "15000",
     .allowed = {.min = 0},
     .documentation = "Longest assignment interval that consumer groups can be given."},
    {.name = "group.consumer.max.heartbeat.interval.ms",
     .type = Type::kInt,
     .default_value = "15000",
     .allowed = {.min = 1},
     .documentation = "Longest heartbeat interval that consumer groups can be given."},
    {.name = "group.consumer.max.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "60000",
     .allowed = {.min = 1},
     .documentation = "Longest session timeout that consumer groups can be given."},
    {.name = "group.consumer.max.size",
     .type = Type::kInt,
     .default_value = "2147483647",
     .allowed = {.min = 1},
     .documentation = "Most members of a consumer group."},
    {.name = "group.consumer.migration.policy",
     .type = Type::kString,
     .default_value = "bidirectional",
     .allowed = {.one_of = kMigrationPolicies, .ignore_case = true},
     .documentation =
         "Whether groups with members become consumer groups and classic groups again, "
         "as members of the other protocol come and go."},
    {.name = "group.consumer.min.assignment.interval.ms",
     .type = Type::kInt,
     .default_value = "0",
     .allowed = {.min = 0},
     .documentation = "Shortest assignment interval that consumer groups can be given."},
    {.name = "group.consumer.min.heartbeat.interval.ms",
     .type = Type::kInt,
     .default_value = "5000",
     .allowed = {.min = 1},
     .documentation = "Shortest heartbeat interval that consumer groups can be given."},
    {.name = "group.consumer.min.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "45000",
     .allowed = {.min = 1},
     .documentation = "Shortest session timeout that consumer groups can be given."},
    {.name = "group.consumer.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "45000",
     .allowed = {.min = 1},
     .documentation = "Time without a heartbeat after which a member of a consumer group is "
                      "dropped."},
    {.name = "group.initial.rebalance.delay.ms",
     .type = Type::kInt,
     .default_value = "3000",
     .allowed = {.min = 0},
     .documentation = "Time that a new group waits for more members before its first rebalance."},
    {.name = "group.max.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "1800000",
     .documentation = "Longest session timeout that a member may ask for."},
    {.name = "group.max.size",
     .type = Type::kInt,
     .default_value = "2147483647",
     .allowed = {.min = 1},
     .documentation = "Most members of a group."},
    {.name = "group.min.session.timeout.ms",
     .type = Type::kInt,
     .default_value = "6000",
     .documentation = "Shortest session timeout that a member may ask for."},
    {.name = "moldau.group.assignment.interval.ms",
     .type = Type::kInt,
     .default_value = "0",
     .allowed = {.min = 0},
     .change = Change::kClusterWide,
     .documentation = "Shortest time between two assignments of a consumer group, 0 for "
                      "each change at once; without effect where "
                      "group.consumer.assignment.interval.ms is set, or the group has its "
                      "own."},
    {.name = "moldau.group.initial.quiet.ms",
     .type = Type::kInt,
     .default_value = "500",
     .allowed = {.min = 0},
     .documentation = "A new classic group begins as soon as no member has come for this long, and "
                      "does not wait out group.initial.rebalance.delay.ms; without effect where "
                      "that is set and this is not."},
};

}  // namespace

std::span<const Def> effective_broker_group_defs() { return kDefs; }

}  // namespace config
