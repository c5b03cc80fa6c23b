#include "broker/log/partition_name.h"

#include <charconv>

namespace broker {

std::optional<PartitionName> PartitionName::parse(std::string_view directory_name) {
  const auto dash = directory_name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = directory_name.substr(dash + 1);
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::int32_t partition = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), partition);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const std::string_view topic = directory_name.substr(0, dash);
  for (char c : topic) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!good) return std::nullopt;
  }
  return PartitionName{std::string(topic), partition};
}

std::string random_hex(base::Random& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (int half = 0; half < 2; ++half) {
    const std::uint64_t value = random.next();
    for (int shift = 60; shift >= 0; shift -= 4) text += kHex[(value >> shift) & 15];
  }
  return text;
}

}  // namespace broker
