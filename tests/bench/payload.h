// Record values. Random bytes do not compress; text records (JSON with random fields) compress
// about as well as real events do, so that a codec has honest work. Made once, from a seed; read by
// one thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace bench {

enum class PayloadKind { kRandom, kText };

class Payload {
 public:
  Payload(PayloadKind kind, std::size_t record_size, std::uint64_t seed);

  // The next value, `record_size` bytes; lives as long as this.
  std::string_view next();

 private:
  std::size_t record_size_;
  std::size_t step_;   // values start at multiples of it
  std::size_t count_;  // places where a value may start
  std::string pool_;
  std::minstd_rand pick_;
};

}  // namespace bench
