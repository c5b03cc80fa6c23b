// Incremental fetch sessions (KIP-227): what a client asks for again and again without saying it
// again, and what it was told last. Pure; one cache per reactor, touched by its thread only. A
// client that comes back on another reactor is told FETCH_SESSION_ID_NOT_FOUND and starts anew.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/fetch_request.h"

namespace broker {

// A partition of a topic as requests name it: by id from v13 on, by name before.
struct FetchKey {
  base::Uuid topic_id;
  std::string topic;
  std::int32_t partition = 0;
  friend bool operator==(const FetchKey&, const FetchKey&) = default;
};

// One partition to fetch, and what the client was last told about it.
struct FetchTarget {
  FetchKey key;
  std::int64_t fetch_offset = 0;
  std::int32_t leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;
  std::int32_t bytes_max = 0;
  // A follower's (v18, KIP-1166); the largest value from those that do not say.
  std::int64_t known_high_watermark = INT64_MAX;

  bool told = false;  // has ever been in an answer of this session
  std::int64_t told_high_watermark = -1;
  std::int64_t told_last_stable = -1;
  std::int64_t told_log_start = -1;
};

class FetchSession {
 public:
  std::int32_t id() const { return id_; }
  // Grows with each request: an operation that sees another value was overtaken.
  std::int32_t epoch() const { return next_epoch_; }
  // In the order of fetching. Pointers stay valid until the target is forgotten.
  std::list<FetchTarget>& targets() { return targets_; }
  // A partition that was served goes to the end, so that all get their turn.
  void move_to_back(const FetchKey& key);

 private:
  friend class FetchSessions;
  struct KeyHash {
    std::size_t operator()(const FetchKey& key) const;
  };
  void put(FetchTarget target);
  void forget(const FetchKey& key);

  std::int32_t id_ = 0;
  std::int32_t next_epoch_ = 1;
  bool by_id_ = false;
  std::list<FetchTarget> targets_;
  std::unordered_map<FetchKey, std::list<FetchTarget>::iterator, KeyHash> index_;
  std::list<std::int32_t>::iterator recency_;
};

// What a request comes to. Exactly one of `session` and `targets` is in use.
struct FetchPlan {
  wire::ErrorCode error = wire::ErrorCode::kNone;  // of the whole request
  std::shared_ptr<FetchSession> session;           // null: answer in full, keep nothing
  bool incremental = false;                        // answer with what changed only
  std::list<FetchTarget> targets;                  // without a session
};

class FetchSessions {
 public:
  // Ids are drawn from `random`; at most `sessions_max` are kept, the least recently used goes.
  FetchSessions(std::size_t sessions_max, base::Random random)
      : sessions_max_(sessions_max), random_(random) {}

  FetchPlan begin(const wire::FetchRequest& request, std::int16_t version);
  std::size_t size() const { return sessions_.size(); }

 private:
  FetchPlan begin_full(const wire::FetchRequest& request, bool by_id, bool keep);
  FetchPlan go_on(const wire::FetchRequest& request, bool by_id);
  void drop(std::int32_t id);

  std::size_t sessions_max_;
  base::Random random_;
  std::unordered_map<std::int32_t, std::shared_ptr<FetchSession>> sessions_;
  std::list<std::int32_t> recency_;  // least recently used first
};

}  // namespace broker
