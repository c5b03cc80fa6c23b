// moldau quorum status | add | remove.
#include <fmt/format.h>

#include "cli/client/admin.h"
#include "cli/command/admin_options.h"
#include "cli/command/leaf.h"
#include "cli/text/table.h"

namespace cli {
namespace {

constexpr std::int64_t kSilentMs = 2000;

struct StatusOptions {
  WatchOptions watch;
};
struct VoterOptions {
  std::int32_t id = -1;
  std::string address;
  bool yes = false;
};

using Member = proto::DescribeQuorumReply::Member;

std::string ago(std::int64_t ms) {
  if (ms < 0) return "never";
  return ms < 1000 ? "now" : fmt::format("{} s ago", (ms + 500) / 1000);
}

std::string state_of(const Member& member, const proto::DescribeQuorumReply& quorum) {
  if (member.id() == quorum.leader_id()) return "leads";
  return member.last_contact_ms() < 0 || member.last_contact_ms() > kSilentMs ? "away" : "follows";
}

Json to_json(const Member& member, std::string_view role, const std::string& state,
             std::int64_t lag) {
  return {
      {"id", member.id()},
      {"role", role},
      {"state", state},
      {"address", member.host().empty() ? Json(nullptr)
                                        : Json(fmt::format("{}:{}", member.host(), member.port()))},
      {"end_offset", member.log_end_offset()},
      {"lag", lag},
      {"last_contact_ms", member.last_contact_ms()},
      {"last_caught_up_ms", member.last_caught_up_ms()}};
}

View look(Context& context) {
  const auto quorum = context.admin().call<proto::DescribeQuorumReply>(
      "Admin/DescribeQuorum", proto::DescribeQuorumRequest(), "quorum");
  std::int64_t end = quorum.high_watermark();
  for (const auto& voter : quorum.voters()) {
    if (voter.id() == quorum.leader_id()) end = voter.log_end_offset();
  }
  Facts head;
  head.add("Leader", fmt::format("controller {}", quorum.leader_id()));
  head.add("Term", std::to_string(quorum.term()));
  head.add("Committed", std::to_string(quorum.high_watermark()));
  Table table({{"NODE"}, {"STATE"}, {"ADDRESS"}, {"END", true}, {"LAG", true}, {"HEARD OF"}});
  Json members = Json::array();
  const auto add = [&](const Member& member, std::string_view role, const std::string& state) {
    const std::int64_t lag =
        member.log_end_offset() < 0 ? -1 : std::max<std::int64_t>(0, end - member.log_end_offset());
    const bool leads = state == "leads";
    table.add({fmt::format("{} {}", role, member.id()), state,
               member.host().empty() ? "-" : fmt::format("{}:{}", member.host(), member.port()),
               member.log_end_offset() < 0 ? "-" : std::to_string(member.log_end_offset()),
               lag < 0 ? "-" : std::to_string(lag),
               leads || state == "reads" ? "-" : ago(member.last_contact_ms())});
    members.push_back(to_json(member, role, state, lag));
  };
  for (const auto& voter : quorum.voters()) add(voter, "controller", state_of(voter, quorum));
  for (const auto& observer : quorum.observers()) {
    // Brokers have no address in the quorum; a controller that is about to vote has one.
    const bool joins = !observer.host().empty();
    add(observer, joins ? "controller" : "broker", joins ? "joining" : "reads");
  }
  return {.text = head.draw(context.color()) + "\n" + table.draw(context.color()),
          .json = {{"leader", quorum.leader_id()},
                   {"term", quorum.term()},
                   {"committed", quorum.high_watermark()},
                   {"members", std::move(members)}}};
}

void show_status(const StatusOptions& options, Context& context) {
  show(context, options.watch, [&context] { return look(context); });
}

void add_voter(const VoterOptions& options, Context& context) {
  auto addresses = parse_addresses(options.address);
  if (!addresses || addresses->size() != 1) {
    throw usage_failure(fmt::format("{}: not an address", options.address),
                        "write it as host:port, where the controller answers gRPC");
  }
  proto::AddVoterRequest request;
  request.set_id(options.id);
  request.set_host(addresses->front().host);
  request.set_port(addresses->front().port);
  context.admin().call<proto::AddVoterReply>("Admin/AddVoter", request,
                                             fmt::format("controller {}", options.id));
  if (context.json()) return context.print_json({{"controller", options.id}, {"voter", true}});
  context.print(fmt::format("controller {} votes now\n", options.id));
}

void remove_voter(const VoterOptions& options, Context& context) {
  const std::string title = fmt::format("controller {}", options.id);
  context.confirm(options.yes, fmt::format("Take the vote of {}?", title),
                  fmt::format("not removing {}", title));
  proto::RemoveVoterRequest request;
  request.set_id(options.id);
  context.admin().call<proto::RemoveVoterReply>("Admin/RemoveVoter", request, title);
  if (context.json()) return context.print_json({{"controller", options.id}, {"voter", false}});
  context.print(fmt::format("{} votes no more: it may be stopped\n", title));
}

}  // namespace

void add_quorum_commands(CLI::App& root, Context& context) {
  CLI::App* quorum = root.add_subcommand("quorum", "The controllers that hold the metadata");
  quorum->require_subcommand(1);

  auto status = std::make_shared<StatusOptions>();
  CLI::App* command = add_leaf(*quorum, context, "status", "Show who leads, who follows how far",
                               status, show_status);
  add_admin_options(*command, context);
  add_watch_option(*command, status->watch);

  auto add = std::make_shared<VoterOptions>();
  command =
      add_leaf(*quorum, context, "add", "Let a controller that runs vote too", add, add_voter);
  command->add_option("ID", add->id, "Its id")->required()->check(CLI::NonNegativeNumber);
  command->add_option("ADDRESS", add->address, "Where it answers gRPC, as host:port")->required();
  add_admin_options(*command, context);

  auto remove = std::make_shared<VoterOptions>();
  command = add_leaf(*quorum, context, "remove", "Take a controller's vote", remove, remove_voter);
  command->add_option("ID", remove->id, "Its id")->required()->check(CLI::NonNegativeNumber);
  command->add_flag("-y,--yes", remove->yes, "Do not ask");
  add_admin_options(*command, context);
}

}  // namespace cli
