#include "broker/shell/group_metrics.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <utility>

#include "broker/node/coordinator.h"
#include "broker/node/partition.h"
#include "broker/node/partition_table.h"
#include "broker/node/reactor.h"

namespace broker::shell {
namespace {

// A coordinator that is still loading answers at once; one whose reactor is stuck is not waited
// for.
constexpr std::chrono::seconds kPatience{1};

// Waits for what `ask` gives to its callback; nothing when that takes too long, or never comes as
// the broker ends.
template <class T, class Ask>
std::optional<T> wait_for(Ask ask) {
  auto promise = std::make_shared<std::promise<T>>();
  auto answer = promise->get_future();
  ask([promise](T value) { promise->set_value(std::move(value)); });
  if (answer.wait_for(kPatience) != std::future_status::ready) return std::nullopt;
  try {
    return answer.get();
  } catch (const std::future_error&) {  // the callback is gone, uncalled
    return std::nullopt;
  }
}

GroupCaller caller_of(Node& node) {
  return {.version = 0,
          .client_id = "metrics",
          .client_host = "",
          .back = &node.reactors.front()->executor};
}

std::vector<group::ListedGroup> all_groups(Node& node) {
  const auto answers = wait_for<std::vector<GroupAnswer>>([&node](auto done) {
    const GroupCaller caller = caller_of(node);
    caller.back->post([&node, caller, done = std::move(done)]() mutable {
      node.groups->ask_all(caller, group::ListGroups{}, std::move(done));
    });
  });
  std::vector<group::ListedGroup> groups;
  if (!answers) return groups;
  for (const GroupAnswer& answer : *answers) {
    if (!answer) continue;  // loads: its groups come with a later scrape
    const auto& listed = std::get<group::ListedGroups>(*answer).groups;
    groups.insert(groups.end(), listed.begin(), listed.end());
  }
  return groups;
}

// Nothing when the coordinator does not answer in time.
std::optional<std::vector<group::FetchedOffset>> committed(Node& node,
                                                           const std::string& group_id) {
  const auto answer = wait_for<GroupAnswer>([&](auto done) {
    node.groups->ask(group_id, caller_of(node),
                     group::FetchOffsets{.group_id = group_id, .all = true, .partitions = {}},
                     std::move(done));
  });
  if (!answer) return std::nullopt;
  if (!*answer) return std::vector<group::FetchedOffset>();  // moved, or loads
  return std::get<group::FetchedOffsets>(**answer).partitions;
}

// The high watermark as this broker knows it; nothing when it holds no replica.
std::optional<base::Offset> end_of(Node& node, const group::TopicPartition& at) {
  const auto partition = node.partitions->find(at.topic, at.partition);
  if (partition == nullptr) return std::nullopt;
  const auto bounds = partition->bounds();
  return bounds.is_leader ? bounds.visible : bounds.leader_watermark;
}

void emit_lag(Node& node, const host::Metrics::Emit& emit) {
  std::size_t series = 0;
  for (const auto& group : all_groups(node)) {
    const auto offsets = committed(node, group.group_id);
    if (!offsets) return;  // a scrape has its time too
    for (const auto& each : *offsets) {
      const auto end = end_of(node, each.at);
      if (!end || each.offset < 0) continue;
      if (++series > kLagSeriesMax) return;
      emit({{"group", group.group_id},
            {"topic", each.at.topic},
            {"partition", std::to_string(each.at.partition)}},
           static_cast<double>(std::max<std::int64_t>(end->value() - each.offset, 0)));
    }
  }
}

}  // namespace

void add_group_metrics(host::Metrics& metrics, Broker& broker) {
  metrics.gauges("moldau_groups_in_state", "Consumer groups coordinated here, by their state.",
                 [&broker](const host::Metrics::Emit& emit) {
                   std::map<std::string, double> count;
                   for (const auto& group : all_groups(broker.node())) ++count[group.state];
                   for (const auto& [state, groups] : count) emit({{"state", state}}, groups);
                 });
  metrics.gauges("moldau_group_lag_records",
                 "Records behind the committed offset of a group coordinated here, in partitions "
                 "that have a replica here.",
                 [&broker](const host::Metrics::Emit& emit) { emit_lag(broker.node(), emit); });
}

}  // namespace broker::shell
