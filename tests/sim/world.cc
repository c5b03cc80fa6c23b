#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

namespace sim {

World::World(std::uint64_t seed) : seed_(seed), root_(seed) {}

void World::at(base::Instant when, Event event) {
  std::uint32_t place;
  if (free_.empty()) {
    place = static_cast<std::uint32_t>(events_.size());
    events_.push_back(std::move(event));
  } else {
    place = free_.back();
    free_.pop_back();
    events_[place] = std::move(event);
  }
  enqueue(when, kNobody, place);
}

void World::at(base::Instant when, ActorId actor, std::uint32_t what) {
  enqueue(when, actor, what);
}

World::ActorId World::join(Actor& actor) {
  actors_.push_back(&actor);
  return static_cast<ActorId>(actors_.size() - 1);
}

void World::enqueue(base::Instant when, ActorId actor, std::uint32_t what) {
  const Waiting waiting{std::max(when, now_), ++sequence_, actor, what};
  if (waiting.when == now_) return at_once_.push_back(waiting);
  later_.push_back(waiting);
  std::ranges::push_heap(later_, std::less<>());
}

std::optional<base::Instant> World::next() const {
  if (!at_once_.empty()) return now_;
  if (later_.empty()) return std::nullopt;
  return later_.front().when;
}

// What the heap has for this instant was given before it began.
World::Waiting World::take_next() {
  if (!at_once_.empty() && (later_.empty() || later_.front().when > now_)) {
    const Waiting taken = at_once_[at_once_done_];
    if (++at_once_done_ == at_once_.size()) {
      at_once_.clear();
      at_once_done_ = 0;
    }
    return taken;
  }
  std::ranges::pop_heap(later_, std::less<>());
  const Waiting taken = later_.back();
  later_.pop_back();
  return taken;
}

void World::run(const Waiting& next) {
  if (next.actor != kNobody) {
    if (Actor* actor = actors_[next.actor]) actor->run(next.what);
    return;
  }
  Event event = std::move(events_[next.what]);
  events_[next.what] = nullptr;
  free_.push_back(next.what);
  event();
}

void World::settle() {
  // Either may ask for more.
  for (std::size_t i = 0; i < after_this_.size(); ++i) {
    Event event = std::move(after_this_[i]);
    event();
  }
  after_this_.clear();
  for (std::size_t i = 0; i < unsettled_.size(); ++i) {
    if (Actor* actor = actors_[unsettled_[i]]) actor->settle();
  }
  unsettled_.clear();
}

bool World::step() {
  settle();  // what was done between two events
  if (failed() || !next()) return false;
  const Waiting taken = take_next();
  now_ = taken.when;
  ++events_run_;
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ (taken.sequence << 32));
  run(taken);
  settle();
  for (const auto& check : checks_) check();
  return !failed();
}

void World::run_until(base::Instant when) {
  settle();
  while (!failed() && next() && *next() <= when) step();
  if (!failed() && now_ < when) now_ = when;
}

bool World::run_until(const std::function<bool()>& done, base::Duration limit) {
  const base::Instant end = now_ + limit;
  settle();
  while (!failed() && !done()) {
    if (!next() || *next() > end) return false;
    step();
  }
  return !failed();
}

void World::mix(std::uint64_t value) { digest_ = base::Random(digest_ ^ value).next(); }

void World::mix(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  mix(hash);
}

void World::trace(std::string_view what, std::uint64_t a, std::uint64_t b) {
  mix(what);
  mix(a);
  mix(b);
  if (verbose_) {
    std::fprintf(stderr, "%12.6f %.*s %llu %llu\n",
                 static_cast<double>(now_.time_since_epoch().count()) / 1e9,
                 static_cast<int>(what.size()), what.data(), static_cast<unsigned long long>(a),
                 static_cast<unsigned long long>(b));
  }
}

void World::trace(std::string_view what, std::string_view text) {
  mix(what);
  mix(text);
  if (verbose_) {
    std::fprintf(
        stderr, "%12.6f %.*s %.*s\n", static_cast<double>(now_.time_since_epoch().count()) / 1e9,
        static_cast<int>(what.size()), what.data(), static_cast<int>(text.size()), text.data());
  }
}

void World::fail(Verdict verdict, std::string why) {
  if (failed()) return;
  verdict_ = verdict;
  why_ = std::move(why);
}

}  // namespace sim
