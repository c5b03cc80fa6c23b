// Brokers that come and go, wholly or with a log directory: fencing, heartbeats, controlled
// shutdown.
#include <algorithm>

#include "common/base/mutant.h"
#include "controller/cluster/directory_report.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

proto::BrokerChangeRecord* change_broker(const meta::Broker& broker,
                                         std::vector<proto::Record>& out) {
  auto* change = out.emplace_back().mutable_broker_change();
  change->set_broker_id(broker.id.value());
  change->set_broker_epoch(broker.epoch.value());
  return change;
}

// Decides every partition of the broker anew; the roster says what became of it.
void revisit(base::BrokerId broker, const Roster& roster, const meta::Image& image,
             const Settings& settings, std::vector<proto::Record>& out,
             const DirectoryReport* report = nullptr) {
  each_partition_of(
      broker, image, [&](const meta::Topic& topic, std::int32_t index, const auto& now) {
        PartitionChange change(topic, index);
        if (report) change.directories = report->directories_of(topic.id, index, now);
        auto record = change.decide(roster, TopicRules::of(topic.configs, image, settings));
        if (record) out.push_back(std::move(*record));
      });
}

// Unfences the broker, if it returns, and takes note of its log directories.
void take_report(const meta::Broker& broker, bool returns, const DirectoryReport& report,
                 const meta::Image& image, const Settings& settings,
                 std::vector<proto::Record>& out) {
  if (returns || report.changes_broker()) {
    auto* change = change_broker(broker, out);
    if (returns) change->set_fenced(false);
    if (report.changes_broker()) report.put_lists(*change);
  }
  if (returns || report.changes_storage()) {
    Roster roster(image);
    if (returns) roster.find(broker.id);
    roster.replace(report.broker());
    revisit(broker.id, roster, image, settings, out, &report);
  }
  report.put_placements(out);
}

void begin_shutdown(const meta::Broker& broker, const meta::Image& image, const Settings& settings,
                    std::vector<proto::Record>& out) {
  change_broker(broker, out)->set_shutting_down(true);
  Roster roster(image);
  roster.leave(broker.id);
  revisit(broker.id, roster, image, settings, out);
}

struct Led {
  std::int32_t all = 0;
  std::int32_t movable = 0;  // a live broker has a replica, and may yet catch up
};
// What a broker leads that is in its shutdown. Those that could be handed over have been.
Led led_in_shutdown(base::BrokerId broker, const meta::Image& image) {
  Roster roster(image);
  roster.leave(broker);
  Led led;
  each_partition_of(broker, image, [&](const auto&, std::int32_t, const auto& partition) {
    if (partition.leader != broker) return;
    bool in_sync = false;
    bool movable = false;
    for (base::BrokerId id : partition.replicas) {
      in_sync = in_sync || (roster.live(id) && contains(partition.isr, id));
      movable = movable || roster.live(id);
    }
    if (in_sync) return;  // handed over
    ++led.all;
    if (movable) ++led.movable;
  });
  return led;
}

// Others still believe that it leads.
bool others_lag(base::BrokerId broker, const meta::Image& image, const Sessions& sessions) {
  const std::int64_t offset = sessions.shutdown_offset ? sessions.shutdown_offset(broker) : -1;
  for (const auto& [id, other] : image.brokers()) {
    if (id == broker || !other->live() || !other->heartbeats) continue;
    if (sessions.applied && sessions.applied(id) < offset) return true;
  }
  return false;
}

bool has_company(base::BrokerId broker, const meta::Image& image) {
  for (const auto& [id, other] : image.brokers()) {
    if (id != broker && other->live()) return true;
  }
  return false;
}

}  // namespace

std::vector<proto::Record> fence_broker(base::BrokerId id, bool silent, const meta::Image& image,
                                        const Settings& settings) {
  std::vector<proto::Record> out;
  const meta::Broker* broker = image.broker(id);
  if (!broker || broker->fenced) return out;
  auto* change = change_broker(*broker, out);
  change->set_fenced(true);
  change->set_silent(silent);
  Roster roster(image);
  roster.lose(id);
  revisit(id, roster, image, settings, out);
  return out;
}

Decision<proto::HeartbeatReply> heartbeat(const proto::HeartbeatRequest& request,
                                          const meta::Image& image, const Settings& settings,
                                          const Sessions& sessions) {
  Decision<proto::HeartbeatReply> out;
  const base::BrokerId id(request.broker_id());
  const meta::Broker* broker = image.broker(id);
  if (!broker) {
    set_error(out.reply.mutable_error(),
              {ErrorCode::kBrokerIdNotRegistered,
               "Broker " + std::to_string(request.broker_id()) + " is not registered."});
    return out;
  }
  if (broker->epoch.value() != request.broker_epoch()) {
    set_error(out.reply.mutable_error(),
              {ErrorCode::kStaleBrokerEpoch,
               "Expected broker epoch " + std::to_string(broker->epoch.value()) + ", but got " +
                   std::to_string(request.broker_epoch()) + "."});
    return out;
  }
  if (request.want_shutdown()) {
    const Led led = led_in_shutdown(id, image);
    const bool begins = !broker->fenced && !broker->shutting_down;
    if (begins) begin_shutdown(*broker, image, settings, out.records);
    // Who begins comes once more, unless there is nobody who would have to hear of it.
    const bool waits = begins ? has_company(id, image) : others_lag(id, image, sessions);
    out.reply.set_fenced(broker->fenced);
    out.reply.set_leaders_left(broker->fenced ? 0 : led.all);
    out.reply.set_may_shutdown(broker->fenced || (led.movable == 0 && !waits));
    return out;
  }
  // It must know of its registration, so that it has seen what it leads and follows by then.
  const bool caught_up =
      request.metadata_offset() >= broker->epoch.value() || MUTANT("unfence-before-caught-up");
  const bool returns = broker->fenced && !broker->shutting_down && caught_up;
  take_report(*broker, returns, DirectoryReport(request, *broker, image), image, settings,
              out.records);
  out.reply.set_fenced(broker->fenced && !returns);
  return out;
}

}  // namespace controller::cluster
