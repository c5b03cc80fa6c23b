#include "operator/node/queue.h"

#include <algorithm>

#include "common/base/check.h"

namespace kube {

void Queue::add(const Key& key, base::Instant now) { add_at(key, now); }

void Queue::add_at(const Key& key, base::Instant when) {
  if (const auto at = working_.find(key); at != working_.end()) {
    if (!at->second || when < *at->second) at->second = when;
    return;
  }
  put(key, when);
}

void Queue::put(const Key& key, base::Instant when) {
  if (const auto at = places_.find(key); at != places_.end()) {
    if (at->second.when <= when) return;
    remove(key);
  }
  const Place place{when, ++sequence_};
  places_.emplace(key, place);
  line(key.sort).emplace(place, key);
}

void Queue::remove(const Key& key) {
  const auto at = places_.find(key);
  if (at == places_.end()) return;
  line(key.sort).erase(at->second);
  places_.erase(at);
}

std::optional<Key> Queue::take(Key::Sort sort, base::Instant now) {
  Line& from = line(sort);
  if (from.empty() || from.begin()->first.when > now) return std::nullopt;
  Key key = from.begin()->second;
  remove(key);
  working_.emplace(key, std::nullopt);
  return key;
}

void Queue::done(const Key& key, base::Instant) {
  auto node = working_.extract(key);
  CHECK(!node.empty());
  if (node.mapped()) put(key, *node.mapped());
}

void Queue::retry(const Key& key, base::Instant now) {
  int& count = failures_[key];
  base::Duration wait = backoff_.min;
  for (int i = 0; i < count && wait < backoff_.max; ++i) wait *= 2;
  wait = std::min(wait, backoff_.max);
  ++count;
  // Those that failed together do not come back together.
  wait += base::Duration(random_.between(0, wait.count() / 4 + 1));
  add_at(key, now + wait);
}

void Queue::drop(const Key& key) {
  failures_.erase(key);
  remove(key);
}

std::optional<base::Instant> Queue::next(Key::Sort sort) const {
  const Line& from = line(sort);
  if (from.empty()) return std::nullopt;
  return from.begin()->first.when;
}

std::size_t Queue::waiting(Key::Sort sort) const { return line(sort).size(); }

int Queue::failures(const Key& key) const {
  const auto at = failures_.find(key);
  return at == failures_.end() ? 0 : at->second;
}

}  // namespace kube
