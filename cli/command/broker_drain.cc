#include "cli/command/broker_drain.h"

#include <fmt/format.h>

#include "cli/client/admin.h"
#include "cli/client/interrupt.h"
#include "cli/command/copying.h"
#include "cli/command/progress.h"
#include "cli/text/table.h"
#include "cli/text/wrap.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kAskEvery{1000};

std::string title(std::int32_t id) { return fmt::format("broker {}", id); }

proto::DrainBrokerReply ask(Context& context, std::int32_t id) {
  proto::DrainBrokerRequest request;
  request.set_broker_id(id);
  return context.admin().call<proto::DrainBrokerReply>("Admin/DrainBroker", request, title(id));
}

std::string note_of(const proto::DrainBrokerReply& reply) {
  std::string note = fmt::format("{} on the move", reply.moving());
  for (const std::string& obstacle : reply.obstacles()) note += "; " + obstacle;
  return note;
}

Json to_json(std::int32_t id, const proto::DrainBrokerReply& reply) {
  return {
      {"broker", id},
      {"drained", reply.replicas_left() == 0},
      {"replicas_left", reply.replicas_left()},
      {"leaders_left", reply.leaders_left()},
      {"moving", reply.moving()},
      {"copying", copying_json_of(reply)},
      {"obstacles", std::vector<std::string>(reply.obstacles().begin(), reply.obstacles().end())}};
}

// Ctrl-C only stops the watching.
proto::DrainBrokerReply watch(Context& context, std::int32_t id, proto::DrainBrokerReply reply) {
  Progress progress(context, fmt::format("draining {}", title(id)));
  while (reply.replicas_left() > 0) {
    progress.update(reply.replicas_left(), note_of(reply), human_copying(reply.progress()));
    pause_for(kAskEvery);
    if (interrupted()) throw Interrupted{};
    reply = ask(context, id);
  }
  progress.update(0, "");
  return reply;
}

}  // namespace

void drain_broker(const DrainOptions& options, Context& context) {
  auto reply = ask(context, options.id);
  const bool wait = !options.no_wait && reply.replicas_left() > 0;
  if (wait) {
    catch_interrupts();
    reply = watch(context, options.id, std::move(reply));
  }
  if (context.json()) return context.print_json(to_json(options.id, reply));
  if (reply.replicas_left() > 0) {
    const std::string copying = human_copying(reply.progress());
    return context.print(fmt::format("{} is being drained: {} to move{}{}\n", title(options.id),
                                     counted(reply.replicas_left(), "replica"),
                                     copying.empty() ? "" : "; ", copying));
  }
  context.print(
      fmt::format("{} is drained: nothing is on it, and nothing new comes\n", title(options.id)));
  context.remark(
      fmt::format("hint: back with `moldau broker resume {0}`; for good: stop it, then `moldau "
                  "broker remove {0}`",
                  options.id));
}

void resume_broker(const BrokerOptions& options, Context& context) {
  proto::ResumeBrokerRequest request;
  request.set_broker_id(options.id);
  context.admin().call<proto::ResumeBrokerReply>("Admin/ResumeBroker", request, title(options.id));
  if (context.json()) return context.print_json({{"broker", options.id}, {"draining", false}});
  context.print(
      fmt::format("{} is in service; what has moved away stays where it is\n", title(options.id)));
  context.remark("hint: `moldau balance start` gives it its share");
}

void remove_broker(const BrokerOptions& options, Context& context) {
  context.confirm(options.yes, fmt::format("Forget {} for good?", title(options.id)),
                  fmt::format("not removing {}", title(options.id)));
  proto::UnregisterBrokerRequest request;
  request.set_broker_id(options.id);
  context.admin().call<proto::UnregisterBrokerReply>("Admin/UnregisterBroker", request,
                                                     title(options.id));
  if (context.json()) return context.print_json({{"broker", options.id}, {"removed", true}});
  context.print(fmt::format("removed {}\n", title(options.id)));
}

void may_restart_broker(const BrokerOptions& options, Context& context) {
  proto::MayRestartRequest request;
  request.set_broker_id(options.id);
  const auto reply =
      context.admin().call<proto::MayRestartReply>("Admin/MayRestart", request, title(options.id));
  context.end_with(static_cast<int>(reply.yes() ? Exit::kOk : Exit::kFailure));
  Json reasons = Json::array();
  std::string text = fmt::format("{} {} be restarted now\n", title(options.id),
                                 reply.yes() ? "may" : "should NOT");
  for (const auto& reason : reply.reasons()) {
    const std::string where = fmt::format("{}-{}", reason.topic(), reason.partition());
    reasons.push_back({{"topic", reason.topic()},
                       {"partition", reason.partition()},
                       {"message", reason.message()}});
    text += fmt::format("  {}: {}\n", escape_control(where), reason.message());
  }
  if (!context.json()) return context.print(text);
  context.print_json({{"broker", options.id}, {"may_restart", reply.yes()}, {"reasons", reasons}});
}

}  // namespace cli
