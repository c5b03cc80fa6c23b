#include "controller/cluster/topic_rules.h"

#include <algorithm>
#include <set>

#include "common/meta/apply.h"
#include "controller/place/spread.h"

namespace controller::cluster {
namespace {

constexpr std::size_t kNameMax = 249;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// It can make a replica, too.
bool can_write(base::BrokerId id, const meta::Image& image) {
  return meta::storage_of(*image.broker(id), {}) == meta::Storage::kGood;
}

bool is_live(base::BrokerId id, const meta::Image& image) {
  const meta::Broker* broker = image.broker(id);
  return broker && broker->live();
}

// New replicas may be placed there.
bool is_open(const meta::Broker& broker) { return broker.live() && !broker.draining; }

std::unexpected<Refusal> bad_name(std::string why) {
  return refuse(wire::ErrorCode::kInvalidTopicException, "Topic name is invalid: " + why);
}

std::unexpected<Refusal> bad_assignment(std::string why) {
  return refuse(wire::ErrorCode::kInvalidReplicaAssignment,
                "The manual partition assignment includes " + why);
}

}  // namespace

Verdict<void> check_topic_name(std::string_view name) {
  if (name.empty()) return bad_name("the empty string is not allowed");
  if (name == "." || name == "..") return bad_name("'" + std::string(name) + "' is not allowed");
  if (name.size() > kNameMax) {
    return bad_name("the length of '" + std::string(name.substr(0, kNameMax)) +
                    "...' is longer than the max allowed length " + std::to_string(kNameMax));
  }
  if (!std::ranges::all_of(name, is_name_character)) {
    return bad_name("'" + std::string(name) +
                    "' contains one or more characters other than ASCII alphanumerics, '.', '_' "
                    "and '-'");
  }
  return {};
}

Verdict<void> check_assignment(const Replicas& replicas, std::size_t expected_count,
                               const meta::Image& image) {
  if (replicas.empty()) return bad_assignment("an empty replica list.");
  std::set<base::BrokerId> seen;
  bool any_live = false;
  for (base::BrokerId id : replicas) {
    if (!image.broker(id)) {
      return bad_assignment("broker " + std::to_string(id.value()) +
                            ", but no such broker is registered.");
    }
    if (!seen.insert(id).second) {
      return bad_assignment("the broker " + std::to_string(id.value()) + " more than once.");
    }
    any_live = any_live || is_live(id, image);
  }
  if (expected_count > 0 && replicas.size() != expected_count) {
    return bad_assignment("a partition with " + std::to_string(replicas.size()) +
                          " replica(s), but this is not consistent with previous partitions, "
                          "which have " +
                          std::to_string(expected_count) + " replica(s).");
  }
  if (!any_live) return bad_assignment("only brokers that are fenced.");
  return {};
}

std::size_t live_brokers(const meta::Image& image) {
  return static_cast<std::size_t>(std::ranges::count_if(
      image.brokers(), [](const auto& each) { return is_open(*each.value); }));
}

Verdict<std::vector<Replicas>> place_replicas(std::size_t partitions,
                                              std::size_t replication_factor,
                                              const meta::Image& image, base::Random& random) {
  std::vector<place::Candidate> candidates;
  std::vector<place::Candidate> away;
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->draining) continue;
    (broker->live() ? candidates : away).push_back({id, broker->rack});
  }
  const std::size_t live = candidates.size();
  if (live == 0 || live + away.size() < replication_factor) {
    return refuse(wire::ErrorCode::kInvalidReplicationFactor,
                  "A replication factor of " + std::to_string(replication_factor) +
                      " needs as many brokers; live and not draining: " + std::to_string(live) +
                      ".");
  }
  // Who is away has the rest, as in Kafka: topics can be made while brokers are restarted. No more
  // of them than it takes, so that every partition has all who are there, and one to lead it.
  for (std::size_t i = 0; candidates.size() < replication_factor; ++i) {
    candidates.push_back(away[i]);
  }
  return place::spread(std::move(candidates), partitions, replication_factor, random.next() >> 1);
}

proto::Record new_partition(base::Uuid topic, std::int32_t index, const Replicas& replicas,
                            const meta::Image& image) {
  proto::Record record;
  auto* partition = record.mutable_partition();
  meta::to_proto(topic, partition->mutable_topic_id());
  partition->set_partition(index);
  partition->set_leader(meta::kNoBroker.value());
  const bool some_can = std::ranges::any_of(
      replicas, [&](base::BrokerId id) { return is_live(id, image) && can_write(id, image); });
  for (base::BrokerId id : replicas) {
    partition->add_replicas(id.value());
    if (!is_live(id, image) || (some_can && !can_write(id, image))) continue;
    if (partition->isr_size() == 0) partition->set_leader(id.value());
    partition->add_isr(id.value());
  }
  return record;
}

}  // namespace controller::cluster
