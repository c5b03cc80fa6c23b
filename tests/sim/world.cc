#include "tests/sim/world.h"

#include <cstdio>
#include <utility>

namespace sim {

World::World(std::uint64_t seed) : seed_(seed), root_(seed) {}

void World::at(base::Instant when, Event event) {
  queue_.emplace(Key{std::max(when, now_), ++sequence_}, std::move(event));
}

bool World::step() {
  if (failed() || queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  now_ = node.key().when;
  ++events_;
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  mix(node.key().sequence);
  node.mapped()();
  for (const auto& check : checks_) check();
  return !failed();
}

void World::run_until(base::Instant when) {
  while (!failed() && !queue_.empty() && queue_.begin()->first.when <= when) step();
  if (!failed() && now_ < when) now_ = when;
}

bool World::run_until(const std::function<bool()>& done, base::Duration limit) {
  const base::Instant end = now_ + limit;
  while (!failed() && !done()) {
    if (queue_.empty() || queue_.begin()->first.when > end) return false;
    step();
  }
  return !failed();
}

void World::mix(std::uint64_t value) { digest_ = base::Random(digest_ ^ value).next(); }

void World::trace(std::string_view what, std::uint64_t a, std::uint64_t b) {
  for (char c : what) mix(static_cast<unsigned char>(c));
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
  for (char c : what) mix(static_cast<unsigned char>(c));
  for (char c : text) mix(static_cast<unsigned char>(c));
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
