// The simulated world: one thread, one heap of events ordered by (virtual time, sequence number),
// one seed that is split by name. Whatever happens goes through at(): the same seed gives the same
// order, which trace() proves by a digest of all that was told to it. docs/simulation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"

namespace sim {

// Why a run failed; the runner's exit codes.
enum class Verdict { kGood = 0, kCrash = 127, kNoProgress = 128, kIncorrect = 129 };

class World {
 public:
  using Event = std::move_only_function<void()>;

  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::uint64_t seed() const { return seed_; }
  base::Instant now() const { return now_; }
  // An independent generator for a named part. Ask once and keep it.
  base::Random random(std::string_view name) const { return root_.split(name); }

  // Runs `event` at that time (now, when it has passed), after all that was given earlier for the
  // same time.
  void at(base::Instant when, Event event);
  void after(base::Duration delay, Event event) { at(now_ + delay, std::move(event)); }

  // Called after every event, in order of adding: invariants, executors' timers.
  void after_each(std::function<void()> check) { checks_.push_back(std::move(check)); }

  // Runs the next event. False when there is none or the run has failed.
  bool step();
  // Runs all events up to `when`, then stands there.
  void run_until(base::Instant when);
  void run_for(base::Duration span) { run_until(now_ + span); }
  // Until `done` says so; false when the events end, `limit` passes or the run fails first.
  bool run_until(const std::function<bool()>& done, base::Duration limit);

  // Adds to the digest. Whatever decides what happens next should be told.
  void trace(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0);
  void trace(std::string_view what, std::string_view text);
  std::uint64_t digest() const { return digest_; }
  std::uint64_t events() const { return events_; }
  // Prints every trace to stderr: to look at one seed.
  void set_verbose(bool verbose) { verbose_ = verbose; }
  bool verbose() const { return verbose_; }

  // Ends the run. The first failure counts.
  void fail(Verdict verdict, std::string why);
  bool failed() const { return verdict_ != Verdict::kGood; }
  Verdict verdict() const { return verdict_; }
  const std::string& why() const { return why_; }

 private:
  struct Key {
    base::Instant when;
    std::uint64_t sequence;
    auto operator<=>(const Key&) const = default;
  };
  void mix(std::uint64_t value);

  std::uint64_t seed_;
  base::Random root_;
  base::Instant now_{std::chrono::seconds(1)};
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::map<Key, Event> queue_;
  std::vector<std::function<void()>> checks_;
  std::uint64_t digest_ = 0xcbf29ce484222325ULL;
  Verdict verdict_ = Verdict::kGood;
  std::string why_;
  bool verbose_ = false;
};

}  // namespace sim
