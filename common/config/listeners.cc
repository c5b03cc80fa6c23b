#include "common/config/listeners.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "common/config/tables.h"

namespace config {
namespace {

constexpr std::string_view kPlaintext = "PLAINTEXT";
constexpr std::array<std::string_view, 4> kProtocols = {kPlaintext, "SSL", "SASL_PLAINTEXT",
                                                        "SASL_SSL"};

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

using ProtocolMap = std::map<std::string, std::string, std::less<>>;

std::expected<ProtocolMap, std::string> parse_protocol_map(std::string_view text) {
  ProtocolMap map;
  for (const std::string& pair : split_list(text)) {
    const std::size_t colon = pair.find(':');
    if (colon == std::string::npos)
      return std::unexpected("listener.security.protocol.map has " + pair +
                             ", which is not NAME:PROTOCOL");
    std::string protocol = pair.substr(colon + 1);
    if (std::ranges::find(kProtocols, protocol) == kProtocols.end())
      return std::unexpected("listener.security.protocol.map names the unknown protocol " +
                             protocol);
    if (!map.emplace(pair.substr(0, colon), std::move(protocol)).second)
      return std::unexpected("listener.security.protocol.map has " + pair.substr(0, colon) +
                             " twice");
  }
  return map;
}

std::expected<Listener, std::string> parse_listener(std::string_view text,
                                                    const ProtocolMap& protocols) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos)
    return std::unexpected(std::string(text) + " is not of the form NAME://host:port");
  Listener listener{.name = std::string(text.substr(0, mark))};
  if (!is_name(listener.name))
    return std::unexpected(std::string(text) + " has no proper listener name");
  const auto address = parse_host_port(text.substr(mark + 3));
  if (!address)
    return std::unexpected(std::string(text) + " has no proper address: host:port is wanted");
  listener.host = address->host;
  listener.port = address->port;
  const auto protocol = protocols.find(listener.name);
  if (protocol == protocols.end())
    return std::unexpected(listener.name + " is not in listener.security.protocol.map");
  listener.protocol = protocol->second;
  if (listener.protocol != kPlaintext)
    return std::unexpected(listener.name + " needs " + listener.protocol +
                           ", which this release does not have: only PLAINTEXT is served");
  return listener;
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  HostPort address;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) return std::nullopt;
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address needs its brackets
  }
  if (host.find_first_of(" /[]") != std::string_view::npos) return std::nullopt;
  address.host = host;
  return address;
}

std::expected<std::vector<Listener>, std::string> parse_listeners(std::string_view text,
                                                                  std::string_view protocol_map) {
  const auto protocols = parse_protocol_map(protocol_map);
  if (!protocols) return std::unexpected(protocols.error());
  std::vector<Listener> listeners;
  for (const std::string& each : split_list(text)) {
    auto listener = parse_listener(each, *protocols);
    if (!listener) return std::unexpected(std::move(listener.error()));
    for (const Listener& other : listeners) {
      if (other.name == listener->name)
        return std::unexpected("the name " + other.name + " is there twice");
      if (other.port == listener->port && other.port != 0 && other.host == listener->host)
        return std::unexpected("the port " + std::to_string(other.port) + " is there twice");
    }
    listeners.push_back(*std::move(listener));
  }
  return listeners;
}

std::optional<std::string> advertised_error(std::span<const Listener> advertised,
                                            std::span<const Listener> listeners) {
  if (advertised.empty()) return "there must be one";
  for (const Listener& each : advertised) {
    if (std::ranges::find(listeners, each.name, &Listener::name) == listeners.end())
      return each.name + " is not one of the listeners";
    if (each.host.empty() || each.host == "0.0.0.0" || each.host == "::")
      return "clients cannot connect to the address of " + each.name +
             ": name a host that they can reach";
  }
  return std::nullopt;
}

std::expected<std::vector<Voter>, std::string> parse_voters(std::string_view text) {
  std::vector<Voter> voters;
  for (const std::string& each : split_list(text)) {
    const std::size_t mark = each.find('@');
    const auto address = mark == std::string::npos
                             ? std::nullopt
                             : parse_host_port(std::string_view(each).substr(mark + 1));
    Voter voter;
    const char* end = each.data() + (mark == std::string::npos ? 0 : mark);
    const auto id = std::from_chars(each.data(), end, voter.id);
    if (!address || address->host.empty() || address->port == 0 || id.ec != std::errc() ||
        id.ptr != end || voter.id < 0)
      return std::unexpected(each + " is not of the form id@host:port");
    if (std::ranges::find(voters, voter.id, &Voter::id) != voters.end())
      return std::unexpected("the id " + std::to_string(voter.id) + " is there twice");
    voter.address = *address;
    voters.push_back(std::move(voter));
  }
  return voters;
}

std::optional<std::string> check_voters(std::string_view text) {
  if (const auto voters = parse_voters(text); !voters) return voters.error();
  return std::nullopt;
}

std::optional<std::string> check_listeners(std::string_view text) {
  for (const std::string& each : split_list(text)) {
    const std::size_t mark = each.find("://");
    if (mark == std::string::npos || !is_name(std::string_view(each).substr(0, mark)) ||
        !parse_host_port(std::string_view(each).substr(mark + 3)))
      return each + " is not of the form NAME://host:port";
  }
  return std::nullopt;
}

std::optional<std::string> check_host_port(std::string_view text) {
  if (parse_host_port(text)) return std::nullopt;
  return "Value must be of the form host:port";
}

}  // namespace config
