#include "cli/command/cluster_health.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/client/admin.h"
#include "cli/text/table.h"
#include "cli/text/wrap.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{5000};  // whoever asks for health wants to know soon
constexpr std::int64_t kSilentMs = 2000;
constexpr std::size_t kNamedMax = 8;
constexpr std::size_t kWidth = 96;

struct Finding {
  std::string kind;  // a word for programs
  bool bad = true;   // otherwise only worth knowing
  std::string message;
  std::int32_t count = 1;
  std::optional<std::int32_t> broker;
  std::vector<std::string> partitions;  // the first ones
};

struct Health {
  bool healthy = true;
  std::optional<std::int32_t> brokers;  // nothing: nobody knows
  std::optional<std::int32_t> brokers_live;
  std::optional<std::int32_t> controllers;
  std::optional<std::int32_t> controllers_live;
  std::optional<std::int64_t> partitions;
  std::vector<Finding> findings;  // worst first

  void add(Finding finding) {
    if (finding.bad) healthy = false;
    findings.push_back(std::move(finding));
  }
};

std::string kind_of(proto::FindingKind kind) {
  switch (kind) {
    case proto::FINDING_KIND_OFFLINE:
      return "offline";
    case proto::FINDING_KIND_UNDER_MIN_ISR:
      return "under-min-isr";
    case proto::FINDING_KIND_UNDER_REPLICATED:
      return "under-replicated";
    case proto::FINDING_KIND_BROKER_FENCED:
      return "broker-away";
    case proto::FINDING_KIND_BROKER_DRAINING:
      return "broker-draining";
    case proto::FINDING_KIND_REASSIGNING:
      return "moving";
    case proto::FINDING_KIND_LEADER_NOT_PREFERRED:
      return "leader-not-preferred";
    case proto::FINDING_KIND_DIRECTORY_FAILED:
      return "directory-failed";
    case proto::FINDING_KIND_DIRECTORY_FULL:
      return "directory-full";
    default:
      return "other";
  }
}

bool is_bad(proto::FindingKind kind) {
  return kind != proto::FINDING_KIND_BROKER_DRAINING && kind != proto::FINDING_KIND_REASSIGNING &&
         kind != proto::FINDING_KIND_LEADER_NOT_PREFERRED;
}

void take(const proto::ClusterHealthReply& reply, Health& health) {
  health.brokers = reply.brokers();
  health.brokers_live = reply.brokers_live();
  health.partitions = reply.partitions();
  for (const auto& told : reply.findings()) {
    Finding finding{.kind = kind_of(told.kind()),
                    .bad = is_bad(told.kind()),
                    .message = told.message(),
                    .count = told.count()};
    if (told.broker_id() >= 0) finding.broker = told.broker_id();
    for (const auto& partition : told.partitions()) {
      finding.partitions.push_back(fmt::format("{}-{}", partition.topic(), partition.partition()));
    }
    health.add(std::move(finding));
  }
  if (!reply.healthy()) health.healthy = false;
}

void take(const proto::DescribeQuorumReply& quorum, Health& health) {
  health.controllers = quorum.voters_size();
  health.controllers_live = 0;
  for (const auto& voter : quorum.voters()) {
    const bool leads = voter.id() == quorum.leader_id();
    const bool silent = voter.last_contact_ms() < 0 || voter.last_contact_ms() > kSilentMs;
    if (leads || !silent) {
      ++*health.controllers_live;
      continue;
    }
    const std::string since = voter.last_contact_ms() < 0
                                  ? "since this leader was elected"
                                  : fmt::format("for {} s", (voter.last_contact_ms() + 500) / 1000);
    health.add({.kind = "controller-away",
                .message = fmt::format("Controller {} has not been heard of {}. Start it, or look "
                                       "at its disk and its network: without a majority of the "
                                       "controllers nothing can be changed.",
                                       voter.id(), since)});
  }
}

// No controller answers: what a broker still knows.
void take_metadata(Context& context, const Trouble& trouble, Health& health) {
  health.add({.kind = "no-controller",
              .message = fmt::format("No controller leads at present: {}. Topics cannot be "
                                     "changed and no leader can be elected until a majority of "
                                     "the controllers runs.",
                                     trouble.what)});
  const auto metadata = context.cluster().metadata(std::nullopt);
  Finding offline{.kind = "offline", .count = 0};
  Finding under{.kind = "under-replicated", .count = 0};
  health.partitions = 0;
  for (const auto& topic : metadata.topics) {
    for (const auto& partition : topic.partitions) {
      ++*health.partitions;
      const bool lost = partition.leader_id < 0;
      if (!lost && partition.isr_nodes.size() >= partition.replica_nodes.size()) continue;
      Finding& finding = lost ? offline : under;
      ++finding.count;
      finding.partitions.push_back(
          fmt::format("{}-{}", topic.name.value_or("?"), partition.partition_index));
    }
  }
  offline.message = fmt::format("{} had no leader when a controller was last heard of.",
                                counted(offline.count, "partition"));
  under.message = fmt::format("{} had replicas out of sync when a controller was last heard of.",
                              counted(under.count, "partition"));
  for (Finding* each : {&offline, &under}) {
    if (each->count > 0) health.add(std::move(*each));
  }
}

Health examine(Context& context) {
  Health health;
  Admin& admin = context.admin();
  auto told = admin.try_call<proto::ClusterHealthReply>(
      "Admin/ClusterHealth", proto::ClusterHealthRequest(), "cluster", kPatience);
  if (!told) {
    // Nobody at all answers: that is a failure of the command, like everywhere.
    if (told.error().code == wire::ErrorCode::kNone) {
      throw Failure(told.error().what, told.error().hint);
    }
    take_metadata(context, told.error(), health);
    return health;
  }
  take(*told, health);
  auto quorum = admin.try_call<proto::DescribeQuorumReply>(
      "Admin/DescribeQuorum", proto::DescribeQuorumRequest(), "quorum", kPatience);
  if (quorum) take(*quorum, health);
  return health;
}

std::string of_total(std::optional<std::int32_t> live, std::optional<std::int32_t> all,
                     std::string_view noun) {
  if (!all || !live) return fmt::format("{}s unknown", noun);
  if (*live == *all) return counted(*all, noun);
  return fmt::format("{} of {}", *live, counted(*all, noun));
}

std::string named(const Finding& finding) {
  std::vector<std::string> names = finding.partitions;
  const auto shown = std::min(names.size(), kNamedMax);
  names.resize(shown);
  std::string text = joined(names);
  const auto more = static_cast<std::size_t>(finding.count) - shown;
  if (shown > 0 && more > 0) text += fmt::format(" and {} more", more);
  return text;
}

std::string to_text(const Health& health, bool color) {
  std::string text =
      fmt::format("{}: {}, {}, {}\n", bold(health.healthy ? "healthy" : "NOT healthy", color),
                  of_total(health.brokers_live, health.brokers, "broker"),
                  of_total(health.controllers_live, health.controllers, "controller"),
                  health.partitions ? counted(*health.partitions, "partition")
                                    : std::string("partitions unknown"));
  for (const Finding& finding : health.findings) {
    text += fmt::format("\n{}\n", bold(finding.kind, color && finding.bad));
    text += wrap(escape_control(finding.message), kWidth, "  ");
    if (!finding.partitions.empty()) text += wrap(escape_control(named(finding)), kWidth, "  ");
  }
  return text;
}

Json to_json(const Health& health) {
  const auto maybe = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  Json findings = Json::array();
  for (const Finding& finding : health.findings) {
    findings.push_back({{"kind", finding.kind},
                        {"bad", finding.bad},
                        {"count", finding.count},
                        {"broker", maybe(finding.broker)},
                        {"message", finding.message},
                        {"partitions", finding.partitions}});
  }
  return {{"healthy", health.healthy},
          {"brokers", maybe(health.brokers)},
          {"brokers_live", maybe(health.brokers_live)},
          {"controllers", maybe(health.controllers)},
          {"controllers_live", maybe(health.controllers_live)},
          {"partitions", maybe(health.partitions)},
          {"findings", std::move(findings)}};
}

}  // namespace

void show_health(const HealthOptions& options, Context& context) {
  show(context, options.watch, [&context] {
    const Health health = examine(context);
    context.end_with(static_cast<int>(health.healthy ? Exit::kOk : Exit::kFailure));
    return View{.text = to_text(health, context.color()), .json = to_json(health)};
  });
}

}  // namespace cli
