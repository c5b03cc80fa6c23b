#include "cli/text/message_format.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/text/encode.h"
#include "cli/text/when.h"

namespace cli {
namespace {

constexpr std::string_view kLetters = "tpokKvsVSTdhe";

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// Reads the escape behind the backslash at `at`; moves `at` past it.
std::expected<char, std::string> parse_escape(std::string_view format, std::size_t& at) {
  char c = at + 1 < format.size() ? format[at + 1] : '\0';
  if (at + 1 >= format.size()) return std::unexpected("the format ends in a single backslash");
  at += 2;
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '0':
      return '\0';
    case '\\':
      return '\\';
    case 'x': {
      auto high = at < format.size() ? hex_digit(format[at]) : std::nullopt;
      auto low = at + 1 < format.size() ? hex_digit(format[at + 1]) : std::nullopt;
      if (!high || !low) return std::unexpected("\\x needs two hexadecimal digits");
      at += 2;
      return static_cast<char>(*high << 4 | *low);
    }
    default:
      return std::unexpected(fmt::format("unknown escape '\\{}' in the format", c));
  }
}

void append_headers(const Message& message, std::string& out) {
  bool first = true;
  for (const auto& [name, value] : message.headers) {
    if (!first) out += ',';
    first = false;
    out += name;
    if (value) {
      out += '=';
      out += *value;
    }
  }
}

void append_field(char letter, const Message& message, std::string& out) {
  auto size_of = [](const std::optional<std::string_view>& bytes) {
    return bytes ? std::to_string(bytes->size()) : std::string("-1");
  };
  switch (letter) {
    case 't':
      out += message.topic;
      return;
    case 'p':
      out += std::to_string(message.partition);
      return;
    case 'o':
      out += std::to_string(message.offset);
      return;
    case 'k':
      out += message.key.value_or("");
      return;
    case 'K':
      out += size_of(message.key);
      return;
    case 'v':
    case 's':
      out += message.value.value_or("");
      return;
    case 'V':
    case 'S':
      out += size_of(message.value);
      return;
    case 'T':
      out += std::to_string(message.timestamp);
      return;
    case 'd':
      out += format_when(message.timestamp);
      return;
    case 'h':
      append_headers(message, out);
      return;
    case 'e':
      out += std::to_string(message.leader_epoch);
      return;
    default:
      return;
  }
}

using Json = nlohmann::ordered_json;

void put_bytes(Json& object, const std::string& name,
               const std::optional<std::string_view>& bytes) {
  if (!bytes) {
    object[name] = nullptr;
  } else if (is_utf8(*bytes)) {
    object[name] = *bytes;
  } else {
    object[name + "_base64"] = to_base64(*bytes);
  }
}

}  // namespace

std::expected<MessageFormat, std::string> MessageFormat::parse(std::string_view format) {
  MessageFormat out;
  std::string literal;
  bool ends_lines = format.ends_with("\\c") && !format.ends_with("\\\\c");
  if (ends_lines) format.remove_suffix(2);
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] == '\\') {
      auto c = parse_escape(format, at);
      if (!c) return std::unexpected(c.error());
      if (*c == '\n') ends_lines = true;
      literal += *c;
    } else if (format[at] != '%') {
      if (format[at] == '\n') ends_lines = true;
      literal += format[at++];
    } else {
      char letter = at + 1 < format.size() ? format[at + 1] : '\0';
      if (letter == '%') {
        literal += '%';
      } else if (letter != '\0' && kLetters.contains(letter)) {
        out.pieces_.push_back({letter, std::move(literal)});
        literal.clear();
      } else {
        return std::unexpected(fmt::format("unknown field '%{}' in the format",
                                           letter == '\0' ? "" : std::string(1, letter)));
      }
      at += 2;
    }
  }
  if (!ends_lines) literal += '\n';
  if (!literal.empty()) out.pieces_.push_back({0, std::move(literal)});
  return out;
}

void MessageFormat::append(const Message& message, std::string& out) const {
  for (const Piece& piece : pieces_) {
    out += piece.literal;
    append_field(piece.letter, message, out);
  }
}

void append_json_line(const Message& message, std::string& out) {
  Json object;
  object["topic"] = message.topic;
  object["partition"] = message.partition;
  object["offset"] = message.offset;
  object["timestamp"] = message.timestamp;
  object["timestamp_type"] = message.log_append_time ? "LogAppendTime" : "CreateTime";
  put_bytes(object, "key", message.key);
  put_bytes(object, "value", message.value);
  Json headers = Json::array();
  for (const auto& [name, value] : message.headers) {
    Json header;
    put_bytes(header, "key", name);
    put_bytes(header, "value", value);
    headers.push_back(std::move(header));
  }
  object["headers"] = std::move(headers);
  out += object.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

}  // namespace cli
