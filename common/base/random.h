// A seeded generator (SplitMix64, Steele et al. 2014): small, fast, the same everywhere. Pure code
// takes it by reference; shells seed it from the system, the simulator from the run's seed.
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound); bound > 0. The bias of the modulus is below 2^-32 for bounds we use.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // Uniform in [start, end).
  std::int64_t between(std::int64_t start, std::int64_t end) {
    return start + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(end - start)));
  }
  // True with probability numerator / denominator.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return below(denominator) < numerator;
  }

  // An independent generator for a named part, so that one part's draws never shift another's.
  Random split(std::string_view name) const {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return Random(Random(state_ ^ hash).next());
  }

 private:
  std::uint64_t state_;
};

}  // namespace base
