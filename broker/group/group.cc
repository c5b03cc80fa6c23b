#include "broker/group/group.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/wire/reader.h"

namespace broker::group {

std::string_view name(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
  }
  CHECK(false);
}

const Protocol* Member::find_protocol(std::string_view protocol) const {
  for (const Protocol& offered : protocols) {
    if (offered.name == protocol) return &offered;
  }
  return nullptr;
}

Member* Group::find_member(std::string_view member_id) {
  auto it = members.find(member_id);
  return it == members.end() ? nullptr : &it->second;
}

base::Duration Group::rebalance_timeout() const {
  base::Duration longest{};
  for (const auto& [id_, member] : members) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

bool Group::is_subscribed_to(std::string_view topic) const {
  if (consumer) return consumer->is_subscribed_to(topic);
  // Subscriptions that cannot be read may be to anything.
  if (!subscribed_topics) return uses_consumer_protocol();
  return subscribed_topics->contains(topic);
}

bool Group::supports(std::string_view type, const std::vector<Protocol>& protocols) const {
  if (is(GroupState::kEmpty)) return !type.empty() && !protocols.empty();
  if (!protocol_type || *protocol_type != type) return false;
  return std::ranges::any_of(protocols, [&](const Protocol& offered) {
    auto it = protocol_counts.find(offered.name);
    return (it == protocol_counts.end() ? 0 : it->second) == members.size();
  });
}

std::string Group::select_protocol() const {
  CHECK(!members.empty());
  auto common = [&](const std::string& candidate) {
    return protocol_counts.find(candidate)->second == members.size();
  };
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id_, member] : members) {
    for (const Protocol& offered : member.protocols) {
      if (!common(offered.name)) continue;
      ++votes[offered.name];
      break;
    }
  }
  const auto leading = members.find(leader ? *leader : members.begin()->first);
  const Member& judge = leading == members.end() ? members.begin()->second : leading->second;
  const Protocol* best = nullptr;
  for (const Protocol& offered : judge.protocols) {
    if (!common(offered.name)) continue;
    if (best == nullptr || votes[offered.name] > votes[best->name]) best = &offered;
  }
  CHECK(best != nullptr);  // every protocol that all support is among the judge's
  return best->name;
}

void Group::move_to(GroupState next, base::WallMs wall_ms) {
  previous_state = std::exchange(state, next);
  state_since_ms = wall_ms;
}

void Group::set_protocols(Member& member, std::vector<Protocol> protocols) {
  for (const Protocol& offered : member.protocols) {
    auto it = protocol_counts.find(offered.name);
    CHECK(it != protocol_counts.end() && it->second > 0);
    if (--it->second == 0) protocol_counts.erase(it);
  }
  member.protocols = std::move(protocols);
  for (const Protocol& offered : member.protocols) ++protocol_counts[offered.name];
}

void Group::add_member(Member member, const std::string& type) {
  CHECK(!members.contains(member.id));
  if (members.empty()) protocol_type = type;
  CHECK(protocol_type == type);
  if (member.instance_id) {
    CHECK(!static_members.contains(*member.instance_id));
    static_members[*member.instance_id] = member.id;
  }
  if (!leader) leader = member.id;
  if (member.awaiting_join) ++awaiting_join_count;
  pending_join.erase(member.id);
  for (const Protocol& offered : member.protocols) ++protocol_counts[offered.name];
  std::string key = member.id;
  members.emplace(std::move(key), std::move(member));
}

void Group::remove_member(std::string_view member_id) {
  if (auto pending = pending_join.find(member_id); pending != pending_join.end()) {
    pending_join.erase(pending);
  }
  if (auto pending = pending_sync.find(member_id); pending != pending_sync.end()) {
    pending_sync.erase(pending);
  }
  auto it = members.find(member_id);
  if (it == members.end()) return;
  const bool was_leader = is_leader(member_id);
  Member& member = it->second;
  CHECK(!member.awaiting_join && !member.awaiting_sync);  // answered before
  set_protocols(member, {});
  if (member.instance_id) static_members.erase(*member.instance_id);
  members.erase(it);
  if (was_leader) {
    leader = members.empty() ? std::nullopt : std::optional(members.begin()->first);
  }
}

Member& Group::rename_member(std::string_view old_id, const std::string& new_id) {
  auto node = members.extract(members.find(old_id));
  CHECK(!node.empty());
  Member& member = node.mapped();
  CHECK(member.instance_id && !member.awaiting_join && !member.awaiting_sync);
  if (is_leader(old_id)) leader = new_id;
  if (auto pending = pending_sync.find(old_id); pending != pending_sync.end()) {
    pending_sync.erase(pending);
    pending_sync.insert(new_id);
  }
  static_members[*member.instance_id] = new_id;
  member.id = new_id;
  node.key() = new_id;
  return members.insert(std::move(node)).position->second;
}

bool Group::elect_joined_leader() {
  if (members.empty()) return false;
  const Member* current = leader ? find_member(*leader) : nullptr;
  if (current != nullptr && current->awaiting_join) return true;
  for (const auto& [member_id, member] : members) {
    if (!member.awaiting_join) continue;
    leader = member_id;
    return true;
  }
  return false;
}

void Group::refresh_subscribed_topics() {
  subscribed_topics.reset();
  if (!uses_consumer_protocol()) return;
  std::set<std::string, std::less<>> all;
  if (!members.empty() && !protocol) return;
  for (const auto& [id_, member] : members) {
    const Protocol* chosen = member.find_protocol(*protocol);
    if (chosen == nullptr) return;
    auto topics = subscribed_topics_of(chosen->metadata);
    if (!topics) return;
    all.insert(std::make_move_iterator(topics->begin()), std::make_move_iterator(topics->end()));
  }
  subscribed_topics = std::move(all);
}

std::optional<std::vector<std::string>> subscribed_topics_of(base::BytesView metadata) {
  // Version 0 is a prefix of all versions.
  wire::Reader reader(metadata);
  const auto version = reader.read_number<std::int16_t>("version");
  const auto count = reader.read_array_count("topics", false, false, 2);
  if (!reader.ok() || version < 0 || !count) return std::nullopt;
  std::vector<std::string> topics;
  topics.reserve(*count);
  for (std::size_t i = 0; i < *count && reader.ok(); ++i) {
    topics.push_back(reader.read_string("topic", false));
  }
  if (!reader.ok()) return std::nullopt;
  return topics;
}

}  // namespace broker::group
