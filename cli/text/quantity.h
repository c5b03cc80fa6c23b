// Sizes, durations and key=value pairs as people type and read them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cli {

// 512 B, 1.5 KiB, 12 MiB.
std::string human_bytes(std::int64_t bytes);
// 1234567 as 1,234,567.
std::string human_count(std::int64_t count);

// "250ms", "10s", "5m", "2h", "7d"; a bare number is seconds. Nothing when malformed, negative or
// past a century.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// The whole of `text` as a decimal integer, or nothing.
std::optional<std::int64_t> parse_integer(std::string_view text);

// "key=value" at the first '='. Nothing when there is no '=' or no key.
std::optional<std::pair<std::string, std::string>> parse_pair(std::string_view text);

}  // namespace cli
