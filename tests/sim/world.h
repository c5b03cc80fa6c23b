// The simulated world: one thread, one heap of events ordered by (virtual time, sequence number),
// one seed that is split by name. Whatever happens goes through at(): the same seed gives the same
// order, which trace() proves by a digest of all that was told to it. docs/simulation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"

namespace sim {

// Why a run failed; the runner's exit codes.
enum class Verdict { kGood = 0, kCrash = 127, kNoProgress = 128, kIncorrect = 129 };

// One to whom events can be addressed by a number of its own: cheaper than a function each. An
// executor.
class Actor {
 public:
  virtual ~Actor() = default;
  virtual void run(std::uint32_t what) = 0;
  // After the event in which settle_soon() was called.
  virtual void settle() = 0;
};

class World {
 public:
  using ActorId = std::uint32_t;
  using Event = std::move_only_function<void()>;

  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::uint64_t seed() const { return seed_; }
  base::Instant now() const { return now_; }
  // Virtual time since the beginning.
  base::Duration lived() const { return now_ - kStart; }
  // An independent generator for a named part. Ask once and keep it.
  base::Random random(std::string_view name) const { return root_.split(name); }

  // Runs `event` at that time (now, when it has passed), after all that was given earlier for the
  // same time.
  void at(base::Instant when, Event event);
  void after(base::Duration delay, Event event) { at(now_ + delay, std::move(event)); }

  // Its events are dropped once it has left. No number is given twice.
  ActorId join(Actor& actor);
  void leave(ActorId actor) { actors_[actor] = nullptr; }
  bool is_here(ActorId actor) const { return actors_[actor] != nullptr; }
  void at(base::Instant when, ActorId actor, std::uint32_t what);
  void settle_soon(ActorId actor) { unsettled_.push_back(actor); }

  // Called after every event, in order of adding: invariants. What can be told when it happens had
  // better be told by after_this().
  void after_each(std::function<void()> check) { checks_.push_back(std::move(check)); }
  // Called once, after the event that is running (the next one, when none is).
  void after_this(Event event) { after_this_.push_back(std::move(event)); }

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
  std::uint64_t events() const { return events_run_; }
  // Prints every trace to stderr: to look at one seed.
  void set_verbose(bool verbose) { verbose_ = verbose; }
  bool verbose() const { return verbose_; }

  // Ends the run. The first failure counts.
  void fail(Verdict verdict, std::string why);
  bool failed() const { return verdict_ != Verdict::kGood; }
  Verdict verdict() const { return verdict_; }
  const std::string& why() const { return why_; }

 private:
  static constexpr ActorId kNobody = 0;  // `what` is then a place in events_
  struct Waiting {
    base::Instant when;
    std::uint64_t sequence;
    ActorId actor;
    std::uint32_t what;
    // The least of a heap is its first: this is "later than".
    bool operator<(const Waiting& other) const {
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };
  void enqueue(base::Instant when, ActorId actor, std::uint32_t what);
  // When the next event is; nothing when there is none.
  std::optional<base::Instant> next() const;
  Waiting take_next();
  void run(const Waiting& next);
  void settle();
  void mix(std::uint64_t value);
  void mix(std::string_view text);

  std::uint64_t seed_;
  base::Random root_;
  static constexpr base::Instant kStart{std::chrono::seconds(1)};
  base::Instant now_ = kStart;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<Waiting> later_;    // a heap
  std::vector<Waiting> at_once_;  // of this instant, given in it: in order, behind those of later_
  std::size_t at_once_done_ = 0;
  std::vector<Event> events_;
  std::vector<std::uint32_t> free_;  // places in events_
  std::vector<Actor*> actors_{nullptr};
  std::vector<ActorId> unsettled_;
  std::vector<Event> after_this_;
  std::vector<std::function<void()>> checks_;
  std::uint64_t digest_ = 0xcbf29ce484222325ULL;
  Verdict verdict_ = Verdict::kGood;
  std::string why_;
  bool verbose_ = false;
};

}  // namespace sim
