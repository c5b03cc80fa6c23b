// The deadlines of one shard, ordered; each has a name and is set at most once. Pure data: the
// owner asks what is due. Setting again moves; O(log n) without allocating.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/base/time.h"

namespace broker::group {

enum class DeadlineKind {
  kSession,          // a member's, or of a pending member id
  kJoin,             // the end of a rebalance's join phase
  kSync,             // members that have not sent SyncGroup in time
  kOffsetsCheck,     // the next look for expired offsets
  kConsumerSession,  // a member's of a consumer group
  kConsumerRevoke,   // a member of a consumer group has to have given partitions back
  kConsumerJoin,     // a classic member of a consumer group was told to join again
  kConsumerSync      // one that has joined has to have synced
};

struct DeadlineKey {
  DeadlineKind kind = DeadlineKind::kSession;
  std::string group_id;
  std::string member_id;  // of the kinds that are a member's
  friend auto operator<=>(const DeadlineKey&, const DeadlineKey&) = default;
};

class Deadlines {
 public:
  void set(DeadlineKey key, base::Instant at) {
    auto [it, fresh] = by_key_.try_emplace(std::move(key), at);
    if (fresh) {
      ordered_.insert({at, &it->first});
      return;
    }
    auto node = ordered_.extract({it->second, &it->first});
    it->second = at;
    node.value().first = at;
    ordered_.insert(std::move(node));
  }
  void cancel(const DeadlineKey& key) {
    auto it = by_key_.find(key);
    if (it == by_key_.end()) return;
    ordered_.erase({it->second, &it->first});
    by_key_.erase(it);
  }
  bool is_set(const DeadlineKey& key) const { return by_key_.contains(key); }
  std::optional<base::Instant> next() const {
    if (ordered_.empty()) return std::nullopt;
    return ordered_.begin()->first;
  }
  // Takes out the earliest that is due.
  std::optional<DeadlineKey> pop_due(base::Instant now) {
    if (ordered_.empty() || ordered_.begin()->first > now) return std::nullopt;
    auto it = by_key_.find(*ordered_.begin()->second);
    ordered_.erase(ordered_.begin());
    return by_key_.extract(it).key();
  }
  std::size_t size() const { return by_key_.size(); }

 private:
  struct Earlier {
    bool operator()(const std::pair<base::Instant, const DeadlineKey*>& a,
                    const std::pair<base::Instant, const DeadlineKey*>& b) const {
      if (a.first != b.first) return a.first < b.first;
      return *a.second < *b.second;
    }
  };
  std::map<DeadlineKey, base::Instant> by_key_;
  std::set<std::pair<base::Instant, const DeadlineKey*>, Earlier> ordered_;
};

}  // namespace broker::group
