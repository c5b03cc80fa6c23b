// How lines of input become records: plain text, or one JSON object a line as consume prints them.
// Pure.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "cli/text/message.h"

namespace cli {

struct LineFormat {
  bool json = false;
  // Text: splits the key from the value at its first place; a line without it has no key.
  std::string key_delimiter;
  bool empty_is_null = false;
  // What every record gets that does not bring its own (headers are put in front of its own).
  Outgoing defaults;
};

// The record of one line (without its newline). The error says what is wrong with the line.
//
// JSON: an object with any of key, value, key_base64, value_base64, headers (an array of {key,
// value} or an object), partition, timestamp; what else consume prints is passed over, other names
// are refused. A value or key that is not a string is sent as its JSON text; null is null.
std::expected<Outgoing, std::string> parse_line(std::string_view line, const LineFormat& format);

}  // namespace cli
