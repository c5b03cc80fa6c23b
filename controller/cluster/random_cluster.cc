#include "controller/cluster/random_cluster.h"

#include <algorithm>

#include "common/meta/apply.h"
#include "controller/cluster/partition_change.h"

namespace controller::cluster {
namespace {

constexpr std::int32_t kBrokers = 4;

std::int32_t broker_of(std::uint8_t number) { return number % kBrokers + 1; }

}  // namespace

RandomCluster::RandomCluster() {
  settings_.config_rules.default_value = [](auto, std::string_view key) -> std::string {
    return key == "min.insync.replicas" ? "2" : "";
  };
  settings_.config_rules.is_list = [](auto, auto) { return false; };
  apply(bootstrap({1, 1}));
  for (std::int32_t id = 1; id <= kBrokers; ++id) {
    enroll(id, Kept::kSome);
    processes_[id].view = image_;
    beat(id, 0, false);
  }
  proto::CreateTopicsRequest request;
  for (const char* name : {"a", "b"}) {
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(2);
    topic->set_replication_factor(name[0] == 'a' ? 3 : 2);
  }
  apply(create_topics(request, *image_, settings_, random_).records);
  check();
}

std::int64_t RandomCluster::apply(const std::vector<proto::Record>& records) {
  if (records.empty()) return offset_;
  proto::RecordBatch batch;
  for (const auto& each : records) *batch.add_records() = each;
  auto step = meta::apply_entry(image_, base::Offset(++offset_), 1, batch.SerializeAsString());
  if (!step) {
    violate("records that do not fit: " + step.error());
    return offset_;
  }
  image_ = step->image;
  return offset_;
}

std::int64_t RandomCluster::enroll(std::int32_t id, Kept kept) {
  const meta::Broker* known = image_->broker(base::BrokerId(id));
  proto::RegisterBrokerRequest request;
  request.set_broker_id(id);
  request.set_heartbeats(true);
  request.set_previous_broker_epoch(kept == Kept::kAll && known ? known->epoch.value() : -1);
  put_directories(id, known ? kept : Kept::kNothing, request);
  request.mutable_incarnation()->set_low(++incarnations_);
  auto* listener = request.add_listeners();
  listener->set_name("PLAINTEXT");
  listener->set_host("localhost");
  listener->set_port(9092);
  if (known && (kept == Kept::kSome || kept == Kept::kNothing)) {
    if (kept == Kept::kSome) lost_tail_ = base::BrokerId(id);
    for (auto& [key, ghost] : ghosts_) ghost.whole.erase(base::BrokerId(id));
  }
  processes_[id] = {.incarnation = incarnations_};
  return apply(register_broker(request, *image_, settings_).records);
}

void RandomCluster::bounce(std::int32_t id, const RandomEvent& event) {
  constexpr Kept kKept[] = {Kept::kAll, Kept::kSome,         Kept::kAll, Kept::kSome,
                            Kept::kAll, Kept::kOneDirectory, Kept::kAll, Kept::kNothing};
  enroll(id, kKept[event.b % 8]);
  if (event.c % 2 == 0) return;
  processes_[id].view = image_;  // it is back at once
  beat(id, 0, false);
}

void RandomCluster::beat(std::int32_t id, std::uint8_t lag, bool want_shutdown) {
  const base::BrokerId broker(id);
  const std::int64_t epoch = image_->broker(broker)->epoch.value();
  const bool was_fenced = image_->broker(broker)->fenced;
  proto::HeartbeatRequest request;
  request.set_broker_id(id);
  request.set_broker_epoch(epoch);
  request.set_metadata_offset(processes_[id].view->offset().value() - lag % 3);
  request.set_want_shutdown(want_shutdown);
  apply(heartbeat(request, *image_, settings_).records);
  if (was_fenced && !image_->broker(broker)->fenced && request.metadata_offset() < epoch) {
    violate("broker " + std::to_string(id) + " was unfenced before it had caught up");
  }
}

// A leader asks, out of what it has applied, for some ISR.
void RandomCluster::propose(const RandomEvent& event) {
  const Key key = key_of(event);
  for (auto& [id, process] : processes_) {
    const meta::Partition* seen = process.view->partition(key.first, key.second);
    const meta::Broker* self = process.view->broker(base::BrokerId(id));
    if (!seen || !self || seen->leader != base::BrokerId(id)) continue;
    InFlight out;
    out.key = key;
    out.request.set_broker_id(id);
    out.request.set_broker_epoch(self->epoch.value());
    auto* asked = out.request.add_partitions();
    meta::to_proto(process.view->topic(key.first)->id, asked->mutable_topic_id());
    asked->set_partition(key.second);
    asked->set_leader_epoch(seen->leader_epoch.value());
    asked->set_partition_epoch(seen->partition_epoch);
    for (std::size_t i = 0; i < seen->replicas.size(); ++i) {
      const base::BrokerId member = seen->replicas[i];
      const meta::Broker* broker = process.view->broker(member);
      const bool wanted = member.value() == id || ((event.c >> (i % 8)) & 1) != 0;
      if (!wanted || !broker) continue;
      auto* added = asked->add_isr();
      added->set_broker_id(member.value());
      added->set_broker_epoch(broker->epoch.value());
      out.incarnations[member.value()] = broker->incarnation.low;
    }
    if (in_flight_.size() < 8) in_flight_.push_back(std::move(out));
  }
}

void RandomCluster::deliver(const RandomEvent& event) {
  if (in_flight_.empty()) return;
  const std::size_t at = event.b % in_flight_.size();
  delivered_ = in_flight_[at];
  in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(at));
  const auto decision = alter_partition(delivered_->request, *image_, settings_);
  if (decision.records.empty()) ++counts_.refusals;
  apply(decision.records);
}

// What the leader acknowledges is on every member of the ISR, and need be nowhere else.
void RandomCluster::acknowledge(const Key& key) {
  const meta::Partition& now = *image_->partition(key.first, key.second);
  const TopicRules rules = TopicRules::of(image_->topic(key.first)->configs, *image_, settings_);
  if (now.leader == meta::kNoBroker || now.isr.size() < rules.min_isr_of(now.replicas.size())) {
    return;
  }
  std::erase_if(ghosts_[key].whole, [&](base::BrokerId id) { return !contains(now.isr, id); });
}

void RandomCluster::elect(const RandomEvent& event) {
  proto::ElectLeadersRequest request;
  const bool unclean = event.b % 8 == 0;
  asked_unclean_ = unclean;
  request.set_election_type(unclean ? 1 : 0);
  request.set_all(true);
  apply(elect_leaders(request, *image_, settings_).records);
}

void RandomCluster::reassign(const RandomEvent& event) {
  const Key key = key_of(event);
  proto::AlterPartitionReassignmentsRequest request;
  request.add_topics()->set_name(key.first);
  auto* partition = request.mutable_topics(0)->add_partitions();
  partition->set_partition(key.second);
  for (std::int32_t id = 1; event.b % 4 != 0 && id <= kBrokers; ++id) {
    const std::int32_t turned = broker_of(static_cast<std::uint8_t>(id + event.b));
    if (((event.c >> id) & 1) != 0) partition->mutable_replicas()->add_ids(turned);
  }
  apply(alter_partition_reassignments(request, *image_, settings_).records);
}

void RandomCluster::configure(const RandomEvent& event) {
  proto::IncrementalAlterConfigsRequest request;
  auto* resource = request.add_resources();
  const bool cluster = event.c % 4 == 0;
  resource->set_type(cluster ? proto::CONFIG_RESOURCE_BROKER : proto::CONFIG_RESOURCE_TOPIC);
  if (!cluster) resource->set_name(key_of(event).first);
  auto* config = resource->add_configs();
  if (event.b % 6 == 0) {
    config->set_key("unclean.leader.election.enable");
    config->set_value(event.c % 2 == 0 ? "true" : "false");
  } else {
    config->set_key("min.insync.replicas");
    config->set_value(std::to_string(event.b % 3 + 1));
  }
  apply(incremental_alter_configs(request, *image_, settings_).records);
}

void RandomCluster::drain(const RandomEvent& event) {
  proto::DrainBrokerRequest drains;
  drains.set_broker_id(broker_of(event.a));
  proto::ResumeBrokerRequest resumes;
  resumes.set_broker_id(broker_of(event.a));
  proto::RebalanceRequest balances;
  balances.set_execute(true);
  switch (event.b % 8) {
    case 0:
    case 4:
      apply(drain_broker(drains, *image_, settings_).records);
      break;
    case 1:
    case 5:
      apply(resume_broker(resumes, *image_).records);
      break;
    case 2:
      apply(drain_step(*image_, settings_));
      break;
    case 6:
      apply(rebalance(balances, *image_, settings_).records);
      break;
    case 7:
      apply(rebalance_step(*image_, settings_));
      break;
    default:
      apply(balance_step(*image_, settings_));
      break;
  }
}

std::optional<std::string> RandomCluster::step(const RandomEvent& event) {
  before_ = image_;
  lost_tail_.reset();
  delivered_.reset();
  asked_unclean_ = false;
  const std::int32_t id = broker_of(event.a);
  settle_replicas();
  switch (event.kind % 18) {
    case 0:
      bounce(id, event);
      break;
    case 1:
    case 2:
      if (event.c % 2 == 0) processes_[id].view = image_;
      beat(id, event.b, false);
      break;
    case 3:
      beat(id, 0, event.b % 2 == 0);
      break;
    case 4:
      apply(fence_broker(base::BrokerId(id), event.c % 2 == 0, *image_, settings_));
      break;
    case 5:
    case 6:
      propose(event);
      break;
    case 7:
    case 8:
      deliver(event);
      break;
    case 9:
    case 10:
      acknowledge(key_of(event));
      break;
    case 11:
      elect(event);
      break;
    case 12:
      reassign(event);
      break;
    case 13:
      configure(event);
      break;
    case 14:
      drain(event);
      break;
    case 15:
    case 16:
      tell_directories(event);
      break;
    default:
      processes_[id].view = image_;  // it applies what there is
      break;
  }
  check();
  return violation_;
}

std::optional<std::string> RandomCluster::run(const std::vector<RandomEvent>& events) {
  RandomCluster cluster;
  for (const RandomEvent& event : events) {
    if (auto violation = cluster.step(event)) return violation;
  }
  return std::nullopt;
}

void RandomCluster::check() {
  for (const auto& [name, topic] : image_->topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& now : topic->partitions) {
      const Key key{name, ++index};
      const meta::Partition* before = before_->partition(name, index);
      check_partition(key, before, now);
      check_data(key, before, now);
      check_storage(key, before, now);
    }
  }
}

void RandomCluster::check_partition(const Key& key, const meta::Partition* before,
                                    const meta::Partition& now) {
  const auto wrong = [&](const std::string& what) {
    violate(key.first + "-" + std::to_string(key.second) + ": " + what);
  };
  if (now.isr.empty()) wrong("the ISR is empty");
  if (std::set(now.isr.begin(), now.isr.end()).size() != now.isr.size()) wrong("the ISR repeats");
  for (base::BrokerId id : now.isr) {
    if (!contains(now.replicas, id)) wrong("the ISR has one that is no replica");
    const meta::Broker& broker = *image_->broker(id);
    const bool joins = before && !contains(before->isr, id);
    if (!joins) continue;
    ++counts_.joins;
    // Without a leader somebody eligible may stand in for the last one, who lost its tail.
    const bool stands_in = now.leader == meta::kNoBroker && contains(before->elr, id);
    const bool reverts = unclean_allowed(key) && now.leader == meta::kNoBroker;
    if (!broker.live() && !stands_in && !reverts) wrong("one joined the ISR who may not");
  }
  if (now.leader != meta::kNoBroker) {
    if (!contains(now.isr, now.leader)) wrong("the leader is not in the ISR");
    if (image_->broker(now.leader)->fenced) wrong("the leader is fenced");
    const auto [known, fresh] = ghosts_[key].leaders.emplace(now.leader_epoch.value(), now.leader);
    if (!fresh && known->second != now.leader) wrong("two leaders in one epoch");
  }
  if (before) {
    if (now.leader_epoch < before->leader_epoch) wrong("the leader epoch fell");
    const bool changed = now.leader != before->leader;
    counts_.elections += changed;
    if (changed && now.leader_epoch == before->leader_epoch) wrong("a leader without a new epoch");
    if (changed && contains(before->elr, now.leader)) ++counts_.eligible;
    if (now.replicas != before->replicas) ++counts_.reassigned;
  }
  const TopicRules rules = TopicRules::of(image_->topic(key.first)->configs, *image_, settings_);
  if (!now.elr.empty() && now.isr.size() >= rules.min_isr_of(now.replicas.size())) {
    wrong("an ELR although enough are in sync");
  }
  for (base::BrokerId id : now.elr) {
    if (contains(now.isr, id) || !contains(now.replicas, id)) wrong("the ELR is not disjoint");
  }
}

// Who joined the ISR through its leader has copied everything: as long as it is the process that
// the leader spoke of, and nothing else happened to the partition in between.
void RandomCluster::check_data(const Key& key, const meta::Partition* before,
                               const meta::Partition& now) {
  Ghost& ghost = ghosts_[key];
  if (!before) {
    ghost.whole.insert(now.isr.begin(), now.isr.end());
    return;
  }
  if (delivered_ && delivered_->key == key &&
      delivered_->request.partitions(0).partition_epoch() == before->partition_epoch) {
    for (const auto& [id, incarnation] : delivered_->incarnations) {
      const bool same = image_->broker(base::BrokerId(id))->incarnation.low == incarnation;
      if (same) ghost.whole.insert(base::BrokerId(id));
    }
  }
  std::erase_if(ghost.whole, [&](base::BrokerId id) { return !contains(now.replicas, id); });
  if (now.isr_lost) {
    counts_.lost += !before->isr_lost;
    if (now.leader == meta::kNoBroker) return;
    violate(key.first + "-" + std::to_string(key.second) + ": led although its ISR is lost");
  }
  for (base::BrokerId id : now.isr) {
    if (ghost.whole.contains(id)) continue;
    const bool last = lost_tail_ == id && now.isr.size() == 1;
    if (last || unclean_allowed(key)) {
      // What it has is the truth from now on.
      ghost.whole = {now.isr.begin(), now.isr.end()};
      return;
    }
    violate(key.first + "-" + std::to_string(key.second) + ": broker " +
            std::to_string(id.value()) + " is in the ISR and lacks what was acknowledged");
  }
}

bool RandomCluster::unclean_allowed(const Key& key) const {
  return asked_unclean_ ||
         TopicRules::of(image_->topic(key.first)->configs, *image_, settings_).unclean;
}

RandomCluster::Key RandomCluster::key_of(const RandomEvent& event) const {
  return {event.a % 2 == 0 ? "a" : "b", event.a / 2 % 2};
}

std::vector<RandomEvent> random_events(base::Random& random, std::size_t count) {
  std::vector<RandomEvent> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t bits = random.next();
    out.push_back({static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8),
                   static_cast<std::uint8_t>(bits >> 16), static_cast<std::uint8_t>(bits >> 24)});
  }
  return out;
}

}  // namespace controller::cluster
