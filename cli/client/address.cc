#include "cli/client/address.h"

#include <fmt/format.h>

#include <charconv>

namespace cli {
namespace {

std::expected<Address, std::string> parse_address(std::string_view text) {
  Address address;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::unexpected("no ']' after the IPv6 address");
    address.host = text.substr(1, close - 1);
    std::string_view rest = text.substr(close + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) return std::unexpected("only a port may follow ']'");
    if (has_port) port = rest.substr(1);
  } else {
    std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    address.host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    if (port.contains(':')) return std::unexpected("an IPv6 address needs brackets: [::1]:9092");
  }
  if (address.host.empty()) return std::unexpected("the host is missing");
  if (has_port) {
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || address.port == 0) {
      return std::unexpected("the port is not a number from 1 to 65535");
    }
  }
  return address;
}

}  // namespace

std::string Address::to_string() const {
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::expected<std::vector<Address>, std::string> parse_addresses(std::string_view text) {
  std::vector<Address> addresses;
  while (true) {
    std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    part = part.substr(0, part.find_last_not_of(' ') + 1);
    auto address = parse_address(part);
    if (!address) return std::unexpected(fmt::format("'{}': {}", part, address.error()));
    addresses.push_back(std::move(*address));
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace cli
