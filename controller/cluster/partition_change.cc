#include "controller/cluster/partition_change.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "common/meta/apply.h"

namespace controller::cluster {
namespace {

// The override of the topic, the default of all brokers, or what the controller was started with.
std::string in_force(std::string_view key, const meta::Configs& topic, const meta::Configs& cluster,
                     const Settings& settings) {
  if (auto found = topic.find(key); found != topic.end()) return found->second;
  if (auto found = cluster.find(key); found != cluster.end()) return found->second;
  const auto& fallback = settings.config_rules.default_value;
  return fallback ? fallback(proto::CONFIG_RESOURCE_TOPIC, key) : std::string();
}

void put(const Replicas& ids, proto::BrokerIds* out) {
  for (base::BrokerId id : ids) out->add_ids(id.value());
}

}  // namespace

const meta::Broker* Roster::broker(base::BrokerId id) const {
  const auto replaced = replaced_.find(id);
  return replaced != replaced_.end() ? &replaced->second : image_.broker(id);
}

bool Roster::present(base::BrokerId id) const {
  const meta::Broker* found = broker(id);
  if (!found || lost_.contains(id)) return false;
  return !found->fenced || found_.contains(id);
}

bool Roster::live(base::BrokerId id) const {
  return present(id) && !leaving_.contains(id) && !broker(id)->shutting_down;
}

meta::Storage Roster::storage(base::BrokerId id,
                              const meta::ReplicaDirectories& directories) const {
  if (MUTANT("failed-directory-counts")) return meta::Storage::kGood;
  const meta::Broker* found = broker(id);
  return found ? meta::storage_of(*found, directories) : meta::Storage::kFailed;
}

TopicRules TopicRules::of(const meta::Configs& topic, const meta::Image& image,
                          const Settings& settings) {
  return of(topic, image.cluster_configs(), settings);
}

TopicRules TopicRules::of(const meta::Configs& topic, const meta::Configs& cluster,
                          const Settings& settings) {
  TopicRules rules;
  const std::string least = in_force("min.insync.replicas", topic, cluster, settings);
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(least.data(), least.data() + least.size(), number);
  if (error == std::errc{} && end == least.data() + least.size() && number > 0) {
    rules.min_isr = number;
  }
  rules.unclean = in_force("unclean.leader.election.enable", topic, cluster, settings) == "true";
  return rules;
}

std::size_t TopicRules::min_isr_of(std::size_t replicas) const {
  return std::min(static_cast<std::size_t>(min_isr), replicas);
}

bool contains(const Replicas& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

Replicas without(const Replicas& ids, const Replicas& removed) {
  Replicas out;
  for (base::BrokerId id : ids) {
    if (!contains(removed, id)) out.push_back(id);
  }
  return out;
}

Replicas without(const Replicas& ids, base::BrokerId removed) {
  return without(ids, Replicas{removed});
}

Replicas to_replicas(const proto::BrokerIds& ids) {
  Replicas out;
  for (std::int32_t id : ids.ids()) out.push_back(base::BrokerId(id));
  return out;
}

PartitionChange::PartitionChange(const meta::Topic& topic, std::int32_t index)
    : topic_(topic.id),
      index_(index),
      before_(topic.partitions[static_cast<std::size_t>(index)]),
      leader_(before_.leader),
      leader_epoch_(before_.leader_epoch),
      isr_lost_(before_.isr_lost) {
  replicas = before_.replicas;
  isr = before_.isr;
  elr = before_.elr;
  adding = before_.adding;
  removing = before_.removing;
  directories = before_.directories;
}

std::optional<proto::Record> PartitionChange::decide(const Roster& roster,
                                                     const TopicRules& rules) {
  CHECK(!isr.empty());
  if (lost_tail && !MUTANT("isr-keeps-unclean-member")) forget_tail(roster);
  complete_reassignment();
  elect(roster, rules);
  keep_elr(rules);
  CHECK(!isr.empty());
  CHECK(leader_ == meta::kNoBroker || contains(isr, leader_));
  return record();
}

// Somebody else is known to hold all that was acknowledged: then the one who may not does not count
// any more. Otherwise it stays, since what it has is the best there is, or the ISR is lost with its
// disk: then what others kept, though it may be short, must not be cut to match an empty log.
void PartitionChange::forget_tail(const Roster& roster) {
  elr = without(elr, *lost_tail);
  if (!contains(isr, *lost_tail)) return;
  if (isr.size() > 1) {
    isr = without(isr, *lost_tail);
  } else if (!elr.empty()) {
    auto heir = std::ranges::find_if(
        elr, [&](base::BrokerId id) { return roster.can_write(id, directories); });
    isr = {heir == elr.end() ? elr.front() : *heir};
  } else if (lost_disk && !MUTANT("empty-disk-stays-in-isr")) {
    isr_lost_ = true;
  }
}

void PartitionChange::complete_reassignment() {
  if (adding.empty() && removing.empty()) return;
  const Replicas in_sync = isr_lost_ ? Replicas{} : without(isr, removing);
  const bool caught_up =
      std::ranges::all_of(adding, [&](base::BrokerId id) { return contains(in_sync, id); });
  if (in_sync.empty() || !caught_up) return;
  replicas = without(replicas, removing);
  isr = in_sync;
  elr = without(elr, removing);
  adding.clear();
  removing.clear();
}

void PartitionChange::elect(const Roster& roster, const TopicRules& rules) {
  const auto leader = leader_ == meta::kNoBroker || isr_lost_
                          ? std::nullopt
                          : std::optional<base::BrokerId>(leader_);
  const auto can_write = [&](base::BrokerId id) { return roster.can_write(id, directories); };
  auto chosen = place::choose_leader({.replicas = replicas,
                                      .isr = isr_lost_ ? Replicas{} : isr,
                                      .elr = elr,
                                      .leader = leader,
                                      .live = can_write,
                                      .wish = wish,
                                      .unclean = rules.unclean,
                                      .empty = isr_lost_ ? isr : Replicas{}});
  // A leader in its shutdown, or with a full disk, that nobody can follow leads until it is gone.
  const bool can_stay = leader && contains(isr, *leader) && contains(replicas, *leader) &&
                        roster.present(*leader) &&
                        roster.storage(*leader, directories) != meta::Storage::kFailed;
  if (can_stay && (!chosen || chosen->ground != place::Ground::kInSync)) {
    chosen = place::Chosen{*leader};
  }
  leader_ = chosen ? chosen->leader : meta::kNoBroker;
  if (chosen && chosen->ground != place::Ground::kInSync) {
    unclean_ = chosen->ground == place::Ground::kUnclean;
    isr = {chosen->leader};
    isr_lost_ = false;
    return;
  }
  if (isr_lost_) return;
  Replicas live;
  for (base::BrokerId id : isr) {
    if (id == leader_ || can_write(id)) live.push_back(id);
  }
  if (!live.empty()) isr = std::move(live);
}

void PartitionChange::keep_elr(const TopicRules& rules) {
  const bool enough = isr.size() >= rules.min_isr_of(replicas.size());
  if (unclean_ || (enough && !MUTANT("elr-outlives-its-reason"))) {
    elr.clear();
    return;
  }
  for (base::BrokerId id : before_.isr) {
    if (!contains(elr, id)) elr.push_back(id);
  }
  elr = without(elr, isr);
  std::erase_if(elr, [&](base::BrokerId id) { return !contains(replicas, id); });
  if (lost_tail) elr = without(elr, *lost_tail);
}

std::optional<proto::Record> PartitionChange::record() {
  const bool fewer = std::ranges::any_of(
      before_.replicas, [&](base::BrokerId id) { return !contains(replicas, id); });
  const bool elected = leader_ != before_.leader;
  const bool new_epoch = elected || (leader_ != meta::kNoBroker && (renew_leader || fewer));
  const bool same = replicas == before_.replicas && isr == before_.isr && elr == before_.elr &&
                    adding == before_.adding && removing == before_.removing &&
                    isr_lost_ == before_.isr_lost;
  if (same && !new_epoch) return std::nullopt;
  proto::Record out;
  auto* change = out.mutable_partition_change();
  meta::to_proto(topic_, change->mutable_topic_id());
  change->set_partition(index_);
  if (replicas != before_.replicas) put(replicas, change->mutable_replicas());
  if (isr != before_.isr) put(isr, change->mutable_isr());
  if (elr != before_.elr) put(elr, change->mutable_elr());
  if (adding != before_.adding) put(adding, change->mutable_adding());
  if (removing != before_.removing) put(removing, change->mutable_removing());
  if (isr_lost_ != before_.isr_lost) change->set_isr_lost(isr_lost_);
  if (new_epoch) {
    change->set_leader(leader_.value());
    leader_epoch_ = leader_epoch_ + 1;
  }
  return out;
}

}  // namespace controller::cluster
