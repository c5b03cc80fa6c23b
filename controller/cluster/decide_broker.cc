// What brokers ask: registration, blocks of producer ids.
#include <algorithm>
#include <iterator>
#include <limits>
#include <set>

#include "common/base/mutant.h"
#include "common/meta/apply.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/placements.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

Verdict<void> check_registration(const proto::RegisterBrokerRequest& request,
                                 const meta::Image& image) {
  if (request.has_cluster_id() && meta::from_proto(request.cluster_id()) != image.cluster_id()) {
    return refuse(ErrorCode::kInconsistentClusterId,
                  "Expected cluster ID " + image.cluster_id().to_string() +
                      ", but got cluster ID " + meta::from_proto(request.cluster_id()).to_string());
  }
  if (request.broker_id() < 0) {
    return refuse(ErrorCode::kInvalidRegistration,
                  "Invalid broker ID " + std::to_string(request.broker_id()) + ".");
  }
  if (request.listeners_size() == 0 || request.listeners_size() > kListenersMax) {
    return refuse(ErrorCode::kInvalidRegistration,
                  "A broker registers between 1 and " + std::to_string(kListenersMax) +
                      " listeners, not " + std::to_string(request.listeners_size()) + ".");
  }
  if (request.directory_ids_size() > kDirectoriesMax) {
    return refuse(ErrorCode::kInvalidRegistration,
                  "A broker registers at most " + std::to_string(kDirectoriesMax) +
                      " log directories, not " + std::to_string(request.directory_ids_size()) +
                      ".");
  }
  std::set<std::string> names;
  for (const auto& each : request.listeners()) {
    const bool good = !each.name().empty() && !each.host().empty() && each.port() > 0 &&
                      each.port() <= std::numeric_limits<std::uint16_t>::max();
    if (!good || !names.insert(each.name()).second) {
      return refuse(ErrorCode::kInvalidRegistration,
                    "Invalid or repeated listener '" + each.name() + "'.");
    }
  }
  return {};
}

// None is named that was not before, and what is not named any more has failed.
bool names_same_directories(const proto::RegisterBrokerRequest& request,
                            const meta::Broker& broker) {
  std::set<base::Uuid> named;
  for (const proto::Uuid& id : request.directory_ids()) named.insert(meta::from_proto(id));
  if (named.empty()) return true;  // it does not tell
  const auto has = [](const std::vector<base::Uuid>& ids, const base::Uuid& id) {
    return std::ranges::find(ids, id) != ids.end();
  };
  return std::ranges::all_of(broker.directories,
                             [&](const base::Uuid& id) {
                               return named.contains(id) || has(broker.failed_directories, id);
                             }) &&
         std::ranges::all_of(named,
                             [&](const base::Uuid& id) { return has(broker.directories, id); });
}

bool is_same(const proto::RegisterBrokerRequest& request, const meta::Broker& broker) {
  if (meta::from_proto(request.incarnation()) != broker.incarnation ||
      request.rack() != broker.rack || request.heartbeats() != broker.heartbeats ||
      (broker.fenced && !broker.heartbeats) ||
      static_cast<std::size_t>(request.listeners_size()) != broker.listeners.size() ||
      !names_same_directories(request, broker)) {
    return false;
  }
  for (int i = 0; i < request.listeners_size(); ++i) {
    const auto& ours = broker.listeners[static_cast<std::size_t>(i)];
    const auto& theirs = request.listeners(i);
    if (ours.name != theirs.name() || ours.host != theirs.host() || ours.port != theirs.port()) {
      return false;
    }
  }
  return true;
}

// What became of a broker's log directories.
class Directories {
 public:
  Directories(const proto::RegisterBrokerRequest& request, const meta::Broker* before)
      : some_failed_(request.some_directories_failed()) {
    for (const proto::Uuid& id : request.directory_ids()) now_.push_back(meta::from_proto(id));
    if (now_.empty() || before == nullptr) return;
    had_failed_ = before->failed_directories;
    for (const base::Uuid& id : before->directories) {
      if (!is_there(id)) missing_.push_back(id);
    }
  }
  // Of those that are not named, and may hold what they held.
  std::vector<base::Uuid> failed() const {
    return some_failed_ ? missing_ : std::vector<base::Uuid>();
  }
  // What `before` is once this has been registered, as far as its directories go.
  meta::Broker after(meta::Broker before) const {
    before.directories = now_;
    before.failed_directories = failed();
    std::ranges::copy(before.failed_directories, std::back_inserter(before.directories));
    before.full_directories.clear();
    before.shutting_down = false;
    return before;
  }
  // The one of the replica that is missing. Where it was not told which one holds it: any that is,
  // for the broker may have died before it could tell. One that was out of service may only have
  // been taken for the replica's, by this same rule.
  std::optional<base::Uuid> missing(base::BrokerId broker, const meta::Partition& partition) const {
    if (now_.empty()) return std::nullopt;
    const base::Uuid* told = meta::directory_of(broker, partition.directories);
    if (told != nullptr && !is_there(*told)) return *told;
    if (told != nullptr && !is_doubtful(*told)) return std::nullopt;
    return missing_.empty() ? std::nullopt : std::optional(missing_.front());
  }
  bool is_doubtful(const base::Uuid& told) const {
    return std::ranges::find(had_failed_, told) != had_failed_.end();
  }
  // It holds nothing of the partition any more.
  bool lost(base::BrokerId broker, const meta::Partition& partition) const {
    return !some_failed_ && missing(broker, partition) && !MUTANT("lost-directory-counts");
  }

 private:
  bool is_there(const base::Uuid& id) const { return std::ranges::find(now_, id) != now_.end(); }

  std::vector<base::Uuid> now_;
  std::vector<base::Uuid> missing_;
  std::vector<base::Uuid> had_failed_;  // until this registration
  const bool some_failed_;
};

// A new process holds what its disk kept. What the last one led gets another leader or at least
// another epoch, so that readers and followers who saw an end that is lost notice; after an unclean
// end it does not count as one who holds all that was acknowledged, and on another disk it counts
// as one who holds nothing.
void replace_process(const proto::RegisterBrokerRequest& request, bool is_clean,
                     const Directories& directories, const meta::Image& image,
                     const Settings& settings, std::vector<proto::Record>& out) {
  const base::BrokerId id(request.broker_id());
  Roster roster(image);
  if (request.heartbeats()) {
    roster.lose(id);  // until its first one
  } else {
    roster.find(id);
    roster.replace(directories.after(*image.broker(id)));
  }
  Placements placements;
  each_partition_of(id, image, [&](const meta::Topic& topic, std::int32_t index, const auto& now) {
    PartitionChange change(topic, index);
    change.renew_leader = now.leader == id;
    const bool is_empty = directories.lost(id, now);
    if (!is_clean || is_empty) change.lost_tail = id;
    change.lost_disk = is_empty;
    auto record = change.decide(roster, TopicRules::of(topic.configs, image, settings));
    if (record) out.push_back(std::move(*record));
    // What is out of service is known to be there from now on, whatever is registered next; what is
    // lost, or was only taken to be there, is told anew.
    const auto in = directories.missing(id, now);
    const base::Uuid* told = meta::directory_of(id, now.directories);
    if (in && !is_empty) {
      if (told == nullptr || *told != *in) placements.add(*in, topic.id, index);
    } else if (told != nullptr && (is_empty || directories.is_doubtful(*told))) {
      placements.add(base::Uuid{}, topic.id, index);
    }
  });
  placements.write(id, out);
}

}  // namespace

Decision<proto::RegisterBrokerReply> register_broker(const proto::RegisterBrokerRequest& request,
                                                     const meta::Image& image,
                                                     const Settings& settings,
                                                     const Sessions& sessions) {
  Decision<proto::RegisterBrokerReply> out;
  const auto refused = [&](const Refusal& refusal) {
    set_error(out.reply.mutable_error(), refusal);
    return out;
  };
  if (auto good = check_registration(request, image); !good) return refused(good.error());
  meta::to_proto(image.cluster_id(), out.reply.mutable_cluster_id());
  const base::BrokerId id(request.broker_id());
  const meta::Broker* known = image.broker(id);
  if (known && is_same(request, *known)) {
    out.reply.set_broker_epoch(known->epoch.value());
    return out;
  }
  const bool new_process = known && known->incarnation != meta::from_proto(request.incarnation());
  if (new_process && !known->fenced && sessions.alive && sessions.alive(id)) {
    return refused(
        {ErrorCode::kDuplicateBrokerRegistration,
         "Another process is registered as broker " + std::to_string(id.value()) + " and alive."});
  }
  auto* record = out.records.emplace_back().mutable_broker();
  record->set_broker_id(request.broker_id());
  *record->mutable_incarnation() = request.incarnation();
  *record->mutable_listeners() = request.listeners();
  record->set_rack(request.rack());
  record->set_heartbeats(request.heartbeats());
  record->set_fenced(request.heartbeats());
  record->set_draining(known && known->draining);
  *record->mutable_directory_ids() = request.directory_ids();
  const Directories directories(request, known);
  for (const base::Uuid& each : directories.failed()) {
    meta::to_proto(each, record->add_directory_ids());
    meta::to_proto(each, record->add_failed_directory_ids());
  }
  if (!known && settings.balance_new_brokers && image.partition_count() > 0) {
    out.records.emplace_back().mutable_balancing()->set_active(true);
  }
  if (known) {
    const bool is_clean = !new_process || request.previous_broker_epoch() == known->epoch.value();
    replace_process(request, is_clean, directories, image, settings, out.records);
  }
  return out;
}

Decision<proto::AllocateProducerIdsReply> allocate_producer_ids(
    const proto::AllocateProducerIdsRequest& request, const meta::Image& image) {
  Decision<proto::AllocateProducerIdsReply> out;
  const auto refused = [&](ErrorCode code, std::string message) {
    set_error(out.reply.mutable_error(), {code, std::move(message)});
    return out;
  };
  const meta::Broker* broker = image.broker(base::BrokerId(request.broker_id()));
  if (!broker) {
    return refused(ErrorCode::kBrokerIdNotRegistered,
                   "Broker " + std::to_string(request.broker_id()) + " is not registered.");
  }
  if (broker->epoch.value() != request.broker_epoch()) {
    return refused(ErrorCode::kStaleBrokerEpoch,
                   "Expected broker epoch " + std::to_string(broker->epoch.value()) + ", but got " +
                       std::to_string(request.broker_epoch()) + ".");
  }
  const std::int64_t first = image.next_producer_id();
  if (first > std::numeric_limits<std::int64_t>::max() - kProducerIdBlock) {
    return refused(ErrorCode::kUnknownServerError, "All producer ids have been handed out.");
  }
  auto* record = out.records.emplace_back().mutable_producer_ids();
  record->set_next_id(first + kProducerIdBlock);
  record->set_broker_id(request.broker_id());
  record->set_broker_epoch(request.broker_epoch());
  out.reply.set_first(first);
  out.reply.set_count(kProducerIdBlock);
  return out;
}

}  // namespace controller::cluster
