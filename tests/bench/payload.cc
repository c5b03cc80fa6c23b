#include "tests/bench/payload.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace bench {
namespace {

// Larger than what a codec looks back on within one batch, small enough to stay warm.
constexpr std::size_t kPoolSize = 16U << 20;

std::string random_bytes(std::size_t size, std::mt19937_64& random) {
  std::string bytes(size, '\0');
  for (char& each : bytes) each = static_cast<char>(random());
  return bytes;
}

std::string text_record(std::size_t size, std::mt19937_64& random) {
  constexpr std::array kActions{"view", "click", "purchase", "search", "login", "share"};
  constexpr std::array kPlaces{"/home", "/cart", "/item", "/help", "/account"};
  const auto below = [&](std::uint64_t end) { return static_cast<unsigned>(random() % end); };
  std::string text;
  while (text.size() < size) {
    char line[160];
    const int length = std::snprintf(
        line, sizeof line,
        R"({"user":%u,"time":17%08u000,"action":"%s","page":"%s","ms":%u,"ok":%s,"region":"eu-%u"})",
        below(5'000'000), below(100'000'000), kActions[below(kActions.size())],
        kPlaces[below(kPlaces.size())], below(2'000), below(20) == 0 ? "false" : "true", below(4));
    text.append(line, static_cast<std::size_t>(length));
  }
  text.resize(size);
  return text;
}

}  // namespace

Payload::Payload(PayloadKind kind, std::size_t record_size, std::uint64_t seed)
    : record_size_(record_size), pick_(static_cast<std::minstd_rand::result_type>(seed)) {
  std::mt19937_64 random(seed);
  if (kind == PayloadKind::kRandom) {
    step_ = 8;
    pool_ = random_bytes(kPoolSize + record_size, random);
  } else {
    step_ = std::max<std::size_t>(record_size, 1);
    while (pool_.size() < kPoolSize + record_size) pool_ += text_record(record_size, random);
  }
  count_ = (pool_.size() - record_size) / step_;
}

std::string_view Payload::next() {
  return {pool_.data() + (pick_() % count_) * step_, record_size_};
}

}  // namespace bench
