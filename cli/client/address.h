// Where a broker listens. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

struct Address {
  std::string host;
  std::uint16_t port = 9092;

  // host:port; an IPv6 host in brackets.
  std::string to_string() const;
  friend bool operator==(const Address&, const Address&) = default;
};

// "host[:port],[::1]:9093,...": the port is 9092 when missing. The error names the bad part.
std::expected<std::vector<Address>, std::string> parse_addresses(std::string_view text);

}  // namespace cli
