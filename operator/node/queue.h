// Keys that wait to be reconciled. Each is there once, however often it was added; nobody gets a
// key that somebody else is working on; one that is added meanwhile comes again afterwards. What
// failed comes back after a while that doubles. Keys only, never objects: who takes one looks at
// what is there then. One thread; told the time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/random.h"
#include "common/base/time.h"

namespace kube {

struct Key {
  enum class Sort : std::uint8_t { kCluster, kTopic };
  Sort sort = Sort::kCluster;
  std::string ns;
  std::string name;
  friend auto operator<=>(const Key&, const Key&) = default;
  std::string to_string() const {
    return std::string(sort == Sort::kCluster ? "Cluster " : "Topic ") + ns + "/" + name;
  }
};

class Queue {
 public:
  struct Backoff {
    base::Duration min = std::chrono::milliseconds(100);
    base::Duration max = std::chrono::seconds(30);
  };
  explicit Queue(base::Random random) : Queue(random, Backoff{}) {}
  Queue(base::Random random, Backoff backoff) : random_(random), backoff_(backoff) {}

  // Ready now. Also when it was to come later.
  void add(const Key& key, base::Instant now);
  // Ready then, unless it is earlier.
  void add_at(const Key& key, base::Instant when);

  // The next of that sort that is ready; it is the caller's until done().
  std::optional<Key> take(Key::Sort sort, base::Instant now);
  void done(const Key& key, base::Instant now);
  // Before done(): it failed, and comes again after a while that doubles each time, with jitter.
  void retry(const Key& key, base::Instant now);
  // It went well: the next failure begins again at the shortest while.
  void forget(const Key& key) { failures_.erase(key); }
  // The object is gone for good.
  void drop(const Key& key);

  // When something of that sort becomes ready that nobody works on; nothing when nothing waits.
  std::optional<base::Instant> next(Key::Sort sort) const;
  std::size_t waiting(Key::Sort sort) const;  // ready or later
  std::size_t working() const { return working_.size(); }
  int failures(const Key& key) const;

 private:
  void put(const Key& key, base::Instant when);
  void remove(const Key& key);

  struct Place {
    base::Instant when;
    std::uint64_t sequence;
    auto operator<=>(const Place&) const = default;
  };
  using Line = std::map<Place, Key>;
  Line& line(Key::Sort sort) { return lines_[static_cast<std::size_t>(sort)]; }
  const Line& line(Key::Sort sort) const { return lines_[static_cast<std::size_t>(sort)]; }

  base::Random random_;
  const Backoff backoff_;
  std::uint64_t sequence_ = 0;
  Line lines_[2];
  std::map<Key, Place> places_;
  // Worked on, and when each shall come again afterwards.
  std::map<Key, std::optional<base::Instant>> working_;
  std::map<Key, int> failures_;
};

}  // namespace kube
