#include "broker/group/consumer_assignor.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace broker::group {
namespace {

// Moves that make loads more equal end by themselves; this bounds the time of a heartbeat.
constexpr int kPassesMax = 8;

std::map<std::string, Partitions> assign_range(const std::vector<AssignmentMember>& members) {
  std::map<std::string, Partitions> out;
  std::map<base::Uuid, std::pair<std::int32_t, std::vector<const AssignmentMember*>>> topics;
  for (const AssignmentMember& member : members) {
    out[member.id];
    for (const AssignmentTopic& topic : member.topics) {
      topics[topic.id].first = topic.partitions;
      topics[topic.id].second.push_back(&member);
    }
  }
  // Static members first: their order outlives a restart.
  auto order = [](const AssignmentMember* a) {
    return std::tuple(!a->instance_id.has_value(), a->instance_id.value_or(a->id));
  };
  for (auto& [id, topic] : topics) {
    auto& [count, subscribers] = topic;
    std::ranges::sort(subscribers, {}, order);
    const auto n = static_cast<std::int32_t>(subscribers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t end = next + count / n + (i < count % n ? 1 : 0);
      for (; next < end; ++next) {
        out[subscribers[static_cast<std::size_t>(i)]->id].insert({id, next});
      }
    }
  }
  return out;
}

class Uniform {
 public:
  Uniform(const std::vector<AssignmentMember>& members, const RacksOf& racks_of)
      : members_(members), racks_of_(racks_of), shares_(members.size()) {}

  std::map<std::string, Partitions> run() {
    keep_current();
    if (is_homogeneous()) {
      share_equally();
    } else {
      share_as_allowed();
    }
    std::map<std::string, Partitions> out;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      out.emplace(members_[i].id, std::move(shares_[i]));
    }
    return out;
  }

 private:
  // Every partition that some member subscribes to goes to its last owner, or to the unassigned.
  void keep_current() {
    std::map<base::Uuid, std::int32_t> counts;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      for (const AssignmentTopic& topic : members_[i].topics) {
        counts[topic.id] = topic.partitions;
        subscribers_[topic.id].push_back(i);
      }
    }
    Partitions taken;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      for (const PartitionId& at : members_[i].current) {
        const auto subscribers = subscribers_.find(at.topic_id);
        const bool is_valid = subscribers != subscribers_.end() &&
                              at.partition < counts[at.topic_id] &&
                              std::ranges::binary_search(subscribers->second, i);
        if (is_valid && taken.insert(at).second) shares_[i].insert(at);
      }
    }
    for (const auto& [id, count] : counts) {
      total_ += static_cast<std::size_t>(count);
      for (std::int32_t p = 0; p < count; ++p) {
        if (!taken.contains({id, p})) unassigned_.push_back({id, p});
      }
    }
  }

  bool is_homogeneous() const {
    return std::ranges::all_of(
        subscribers_, [&](const auto& each) { return each.second.size() == members_.size(); });
  }

  // Members with more than their part give back; then the poor are served, by rack first.
  void share_equally() {
    if (members_.empty()) return;
    const std::size_t floor = total_ / members_.size();
    std::size_t extras = total_ % members_.size();
    std::vector<std::size_t> room(members_.size());
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      std::size_t quota = floor;
      if (shares_[i].size() > floor && extras > 0) {
        --extras;
        ++quota;
      }
      while (shares_[i].size() > quota) {
        unassigned_.push_back(*shares_[i].rbegin());
        shares_[i].erase(std::prev(shares_[i].end()));
      }
      room[i] = quota - shares_[i].size();
      if (quota == floor) candidates.push_back(i);
    }
    for (std::size_t k = 0; k < extras; ++k) ++room[candidates[k]];
    std::ranges::sort(unassigned_);
    serve_by_rack(room);
    std::size_t i = 0;
    for (const PartitionId& at : unassigned_) {
      while (room[i] == 0) ++i;  // there is room for all: quotas add up to the total
      shares_[i].insert(at);
      --room[i];
    }
  }

  void serve_by_rack(std::vector<std::size_t>& room) {
    std::map<std::string, std::vector<std::size_t>> by_rack;  // members with room
    for (std::size_t i = members_.size(); i-- > 0;) {
      if (members_[i].rack && room[i] > 0) by_rack[*members_[i].rack].push_back(i);
    }
    if (by_rack.empty()) return;
    std::vector<PartitionId> rest;
    for (const PartitionId& at : unassigned_) {
      if (!serve_near(at, by_rack, room)) rest.push_back(at);
    }
    unassigned_ = std::move(rest);
  }

  bool serve_near(const PartitionId& at, std::map<std::string, std::vector<std::size_t>>& by_rack,
                  std::vector<std::size_t>& room) {
    for (const std::string& rack : racks_of_(at)) {
      const auto near = by_rack.find(rack);
      if (near == by_rack.end() || near->second.empty()) continue;
      const std::size_t i = near->second.back();
      shares_[i].insert(at);
      if (--room[i] == 0) near->second.pop_back();
      return true;
    }
    return false;
  }

  std::size_t poorest(const std::vector<std::size_t>& subscribers) const {
    return *std::ranges::min_element(subscribers, {},
                                     [&](std::size_t i) { return shares_[i].size(); });
  }

  void share_as_allowed() {
    // Topics with the fewest subscribers first: they have the least choice.
    std::ranges::sort(unassigned_, {}, [&](const PartitionId& at) {
      return std::pair(subscribers_.find(at.topic_id)->second.size(), at);
    });
    for (const PartitionId& at : unassigned_) {
      shares_[poorest(subscribers_.find(at.topic_id)->second)].insert(at);
    }
    bool moved = true;
    for (int pass = 0; moved && pass < kPassesMax; ++pass) {
      moved = false;
      for (std::size_t rich = 0; rich < members_.size(); ++rich) {
        const Partitions held = shares_[rich];
        for (const PartitionId& at : held) {
          const std::size_t poor = poorest(subscribers_.find(at.topic_id)->second);
          if (shares_[poor].size() + 1 >= shares_[rich].size()) continue;
          shares_[rich].erase(at);
          shares_[poor].insert(at);
          moved = true;
        }
      }
    }
  }

  const std::vector<AssignmentMember>& members_;
  const RacksOf& racks_of_;
  std::vector<Partitions> shares_;                              // by member
  std::map<base::Uuid, std::vector<std::size_t>> subscribers_;  // rising
  std::vector<PartitionId> unassigned_;
  std::size_t total_ = 0;
};

}  // namespace

std::optional<Assignor> find_assignor(std::string_view name) {
  if (name == "uniform") return Assignor::kUniform;
  if (name == "range") return Assignor::kRange;
  return std::nullopt;
}

std::string_view name(Assignor assignor) {
  switch (assignor) {
    case Assignor::kUniform:
      return "uniform";
    case Assignor::kRange:
      break;
  }
  return "range";
}

std::map<std::string, Partitions> assign_partitions(Assignor assignor,
                                                    const std::vector<AssignmentMember>& members,
                                                    const RacksOf& racks_of) {
  switch (assignor) {
    case Assignor::kUniform:
      return Uniform(members, racks_of).run();
    case Assignor::kRange:
      break;
  }
  return assign_range(members);
}

}  // namespace broker::group
