#include "cli/text/line_format.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/text/encode.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;
using MaybeBytes = std::optional<std::string>;

MaybeBytes bytes_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  if (json.is_string()) return json.get<std::string>();
  return json.dump();
}

std::expected<MaybeBytes, std::string> decoded(const std::string& name, const Json& json) {
  if (json.is_null()) return MaybeBytes();
  auto bytes = json.is_string() ? from_base64(json.get_ref<const std::string&>()) : std::nullopt;
  if (!bytes) return std::unexpected(fmt::format("\"{}\" is not base64", name));
  return MaybeBytes(std::move(*bytes));
}

// One element of "headers" as consume prints them.
std::expected<void, std::string> add_header(const Json& json, Outgoing& record) {
  if (!json.is_object()) return std::unexpected("a header is not an object");
  std::string key;
  MaybeBytes value;
  for (const auto& [name, field] : json.items()) {
    if (name == "key" && field.is_string()) {
      key = field.get<std::string>();
    } else if (name == "value") {
      value = bytes_of(field);
    } else if (name == "key_base64" || name == "value_base64") {
      auto bytes = decoded(name, field);
      if (!bytes) return std::unexpected(bytes.error());
      if (name == "key_base64") key = bytes->value_or("");
      if (name == "value_base64") value = std::move(*bytes);
    } else {
      return std::unexpected(fmt::format("unknown field \"{}\" in a header", name));
    }
  }
  record.headers.emplace_back(std::move(key), std::move(value));
  return {};
}

std::expected<void, std::string> add_headers(const Json& json, Outgoing& record) {
  if (json.is_null()) return {};
  if (json.is_object()) {
    for (const auto& [name, value] : json.items())
      record.headers.emplace_back(name, bytes_of(value));
    return {};
  }
  if (!json.is_array()) return std::unexpected("\"headers\" is neither an array nor an object");
  for (const Json& header : json) {
    if (auto added = add_header(header, record); !added) return added;
  }
  return {};
}

std::expected<void, std::string> add_field(const std::string& name, const Json& json,
                                           Outgoing& record) {
  if (name == "key") {
    record.key = bytes_of(json);
  } else if (name == "value") {
    record.value = bytes_of(json);
  } else if (name == "key_base64" || name == "value_base64") {
    auto bytes = decoded(name, json);
    if (!bytes) return std::unexpected(bytes.error());
    (name == "key_base64" ? record.key : record.value) = std::move(*bytes);
  } else if (name == "headers") {
    return add_headers(json, record);
  } else if (name == "partition" || name == "timestamp") {
    if (!json.is_number_integer()) {
      return std::unexpected(fmt::format("\"{}\" is not an integer", name));
    }
    auto number = json.get<std::int64_t>();
    if (name == "timestamp") {
      if (number >= 0) record.timestamp = number;
    } else if (number < 0 || number > INT32_MAX) {
      return std::unexpected(fmt::format("{} is not a partition", number));
    } else {
      record.partition = static_cast<std::int32_t>(number);
    }
  } else if (name != "topic" && name != "offset" && name != "timestamp_type") {
    return std::unexpected(fmt::format("unknown field \"{}\"", name));
  }
  return {};
}

std::expected<Outgoing, std::string> parse_json(std::string_view line, const LineFormat& format) {
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return std::unexpected("not JSON");
  if (!json.is_object()) return std::unexpected("not a JSON object");
  Outgoing record = format.defaults;
  for (const auto& [name, field] : json.items()) {
    if (auto added = add_field(name, field, record); !added) return std::unexpected(added.error());
  }
  return record;
}

}  // namespace

std::expected<Outgoing, std::string> parse_line(std::string_view line, const LineFormat& format) {
  if (format.json) return parse_json(line, format);
  Outgoing record = format.defaults;
  std::size_t split =
      format.key_delimiter.empty() ? std::string_view::npos : line.find(format.key_delimiter);
  if (split != std::string_view::npos) {
    record.key = std::string(line.substr(0, split));
    line.remove_prefix(split + format.key_delimiter.size());
  }
  record.value = std::string(line);
  if (format.empty_is_null) {
    if (record.key && record.key->empty()) record.key.reset();
    if (record.value->empty()) record.value.reset();
  }
  return record;
}

}  // namespace cli
