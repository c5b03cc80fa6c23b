#include "common/config/def.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/check.h"
#include "common/config/tables.h"

namespace config {
namespace {

// The tables of brokers in one, sorted.
const std::vector<Def>& all_broker_defs() {
  static const std::vector<Def> all = [] {
    std::vector<Def> defs;
    for (const auto& table :
         {effective_broker_defs(), effective_broker_log_defs(), effective_broker_cluster_defs(),
          effective_broker_group_defs(), effective_broker_txn_defs(), inert_broker_defs(),
          inert_broker_group_defs()})
      defs.insert(defs.end(), table.begin(), table.end());
    std::ranges::sort(defs, {}, &Def::name);
    return defs;
  }();
  return all;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t start = text.find_first_not_of(kBlank);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlank) - start + 1);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

Error bad_value(const Def& def, std::string_view text, std::string_view why) {
  return {ErrorKind::kInvalidValue, std::string(def.name),
          "Invalid value " + std::string(def.is_sensitive() ? "[hidden]" : text) +
              " for configuration " + std::string(def.name) + ": " + std::string(why)};
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

std::string number_text(double number) {
  std::array<char, 32> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed)
          .ptr;
  return {buffer.data(), end};
}

std::string range_text(const Allowed& allowed) {
  return "[" + (allowed.min ? number_text(*allowed.min) : "") + ",..." +
         (allowed.max ? "," + number_text(*allowed.max) : "") + "]";
}

bool is_number(Type type) {
  return type == Type::kInt || type == Type::kShort || type == Type::kLong || type == Type::kDouble;
}

template <class Number>
std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('+')) return std::nullopt;
  Number number{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return static_cast<double>(number);
}

// For comparing with bounds only: a long loses digits that no bound has.
std::optional<double> parse_number(Type type, std::string_view text) {
  switch (type) {
    case Type::kShort:
      return parse_number<std::int16_t>(text);
    case Type::kInt:
      return parse_number<std::int32_t>(text);
    case Type::kLong:
      return parse_number<std::int64_t>(text);
    case Type::kDouble: {
      const auto number = parse_number<double>(text);
      return number && std::isfinite(*number) ? number : std::nullopt;
    }
    case Type::kBoolean:
    case Type::kString:
    case Type::kList:
    case Type::kClass:
    case Type::kPassword:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> number_error(const Def& def, std::string_view text) {
  const auto number = parse_number(def.type, text);
  if (!number) return "Not a number of type " + std::string(name(def.type));
  if (def.allowed.min && *number < *def.allowed.min)
    return "Value must be at least " + number_text(*def.allowed.min) +
           " (allowed: " + range_text(def.allowed) + ")";
  if (def.allowed.max && *number > *def.allowed.max)
    return "Value must be no more than " + number_text(*def.allowed.max) +
           " (allowed: " + range_text(def.allowed) + ")";
  return std::nullopt;
}

bool is_one_of(const Allowed& allowed, std::string_view word) {
  return std::ranges::any_of(allowed.one_of, [&](std::string_view each) {
    return allowed.ignore_case ? same_ignoring_case(each, word) : each == word;
  });
}

std::optional<std::string> list_error(const Def& def, std::string_view text) {
  std::vector<std::string> words = split_list(text);
  for (const std::string& word : words) {
    if (word.empty()) return "A list may not have empty elements";
    if (!def.allowed.one_of.empty() && !is_one_of(def.allowed, word))
      return "String must be one of: " + joined(def.allowed.one_of);
  }
  std::ranges::sort(words);
  if (!def.allowed.one_of.empty() && std::ranges::adjacent_find(words) != words.end())
    return "A list may not name an element twice";
  return std::nullopt;
}

// Type and range, not effect: what is wrong, or nothing.
std::optional<std::string> value_error(const Def& def, std::string_view text) {
  if (def.allowed.non_empty && text.empty()) return "The value may not be empty";
  switch (def.type) {
    case Type::kBoolean:
      if (!same_ignoring_case(text, "true") && !same_ignoring_case(text, "false"))
        return "Expected value to be either true or false";
      break;
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
    case Type::kDouble:
      if (auto error = number_error(def, text)) return error;
      break;
    case Type::kList:
      if (auto error = list_error(def, text)) return error;
      break;
    case Type::kString:
      if (!def.allowed.one_of.empty() && !is_one_of(def.allowed, text))
        return "String must be one of: " + joined(def.allowed.one_of);
      break;
    case Type::kClass:
    case Type::kPassword:
      break;
  }
  return def.allowed.check != nullptr ? def.allowed.check(text) : std::nullopt;
}

bool is_default(const Def& def, std::string_view text) {
  if (!def.default_value) return false;
  if (def.type == Type::kBoolean) return same_ignoring_case(text, *def.default_value);
  if (is_number(def.type))
    return parse_number(def.type, text) == parse_number(def.type, *def.default_value);
  if (def.type == Type::kList) return split_list(text) == split_list(*def.default_value);
  return text == *def.default_value;
}

std::string inert_text(const Def& def, std::string_view text) {
  return "Invalid value " + std::string(def.is_sensitive() ? "[hidden]" : text) +
         " for configuration " + std::string(def.name) + ": " + std::string(def.name) +
         " has no effect in Moldau and can only have its default" +
         (def.default_value ? " " + (def.default_value->empty() ? std::string("(empty)")
                                                                : std::string(*def.default_value))
                            : ", which is to be unset");
}

Error unknown_key(Resource resource, std::string_view key) {
  std::string message = "Unknown configuration " + std::string(key);
  if (const auto near = did_you_mean(resource, key))
    message += ": did you mean " + std::string(*near) + "?";
  return {ErrorKind::kUnknownKey, std::string(key), std::move(message)};
}

}  // namespace

std::string_view name(Type type) {
  switch (type) {
    case Type::kBoolean:
      return "BOOLEAN";
    case Type::kString:
      return "STRING";
    case Type::kInt:
      return "INT";
    case Type::kShort:
      return "SHORT";
    case Type::kLong:
      return "LONG";
    case Type::kDouble:
      return "DOUBLE";
    case Type::kList:
      return "LIST";
    case Type::kClass:
      return "CLASS";
    case Type::kPassword:
      return "PASSWORD";
  }
  return "";
}

std::span<const Def> defs(Resource resource) {
  switch (resource) {
    case Resource::kTopic:
      return topic_defs();
    case Resource::kBroker:
      return all_broker_defs();
    case Resource::kGroup:
      return group_defs();
  }
  return {};
}

const Def* find(Resource resource, std::string_view name) {
  const auto table = defs(resource);
  const auto at = std::ranges::lower_bound(table, name, {}, &Def::name);
  return at != table.end() && at->name == name ? &*at : nullptr;
}

std::expected<std::string, Error> parse_value(const Def& def, std::string_view text) {
  const std::string_view value = trim(text);
  if (auto why = value_error(def, value)) return std::unexpected(bad_value(def, value, *why));
  if (def.effect == Effect::kDefaultOnly && !is_default(def, value))
    return std::unexpected(
        Error{ErrorKind::kNoEffect, std::string(def.name), inert_text(def, value)});
  if (def.type == Type::kBoolean) return same_ignoring_case(value, "true") ? "true" : "false";
  return std::string(value);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  if (trim(text).empty()) return words;
  while (true) {
    const std::size_t comma = text.find(',');
    words.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return words;
    text.remove_prefix(comma + 1);
  }
}

std::expected<void, Error> validate(Resource resource, const Overrides& overrides) {
  for (const auto& [key, value] : overrides) {
    const Def* def = find(resource, key);
    if (def == nullptr) return std::unexpected(unknown_key(resource, key));
    if (auto parsed = parse_value(*def, value); !parsed)
      return std::unexpected(std::move(parsed.error()));
  }
  return {};
}

std::expected<void, Error> validate_dynamic_broker(const Overrides& overrides, bool cluster_wide) {
  if (auto valid = validate(Resource::kBroker, overrides); !valid) return valid;
  for (const auto& [key, value] : overrides) {
    const Def* def = find(Resource::kBroker, key);
    if (def->change == Change::kReadOnly)
      return std::unexpected(Error{ErrorKind::kReadOnly, key,
                                   "Cannot update " + key +
                                       " while brokers run: set it in the "
                                       "configuration of each and restart it"});
    if (cluster_wide && def->change == Change::kPerBroker)
      return std::unexpected(Error{ErrorKind::kReadOnly, key,
                                   "Cannot update " + key +
                                       " for all brokers at once: set it for "
                                       "each of them"});
  }
  return {};
}

bool is_list(Resource resource, std::string_view key) {
  const Def* def = find(resource, key);
  return def != nullptr && def->type == Type::kList;
}

std::optional<std::string> check_gzip_level(std::string_view text) {
  const auto level = parse_number<std::int32_t>(text);
  if (level && (*level == -1 || (*level >= 1 && *level <= 9))) return std::nullopt;
  return "Value must be -1 or one of 1 to 9";
}

}  // namespace config
