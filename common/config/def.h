// The registry of configs: every key that topics, brokers and groups have, under Kafka's names,
// with type, default, allowed values and a few words. Kafka's keys that do nothing here are known
// too: they are listed with their default, and any other value is refused by name, so that nobody
// believes to have set what has no effect. Constant data; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace config {

// Numbers are the protocol's (DescribeConfigs).
enum class Type : std::uint8_t {
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};
std::string_view name(Type type);

// What a key belongs to. Numbers are the protocol's config resource types.
enum class Resource : std::uint8_t { kTopic = 2, kBroker = 4, kGroup = 32 };

enum class Importance : std::uint8_t { kHigh, kMedium, kLow };

// How a broker's value may change while it runs.
enum class Change : std::uint8_t { kReadOnly, kPerBroker, kClusterWide };

enum class Effect : std::uint8_t {
  kEffective,
  kDefaultOnly,  // known, but without effect in Moldau: accepts only its default
};

// Overrides by name, as the metadata log has them.
using Overrides = std::map<std::string, std::string, std::less<>>;

// Which values are allowed beyond the type.
struct Allowed {
  std::optional<double> min, max;                 // of numbers
  std::span<const std::string_view> one_of = {};  // of strings and of each list element
  bool ignore_case = false;                       // of one_of
  bool non_empty = false;                         // of strings and lists
  // Anything else: says what is wrong with the text, or nothing.
  std::optional<std::string> (*check)(std::string_view text) = nullptr;
};

// A broker config that a topic or group config falls back to. `scale` turns its value into the
// topic's unit (log.retention.hours -> retention.ms).
struct Synonym {
  std::string_view name;
  std::int64_t scale = 1;
};

struct Def {
  std::string_view name;
  Type type = Type::kString;
  std::optional<std::string_view> default_value;  // nothing: null
  Allowed allowed;
  Importance importance = Importance::kMedium;
  Change change = Change::kReadOnly;  // of brokers; topics and groups always change at run time
  Effect effect = Effect::kEffective;
  // In order of preference. Of topics and groups: broker configs. Of brokers: other broker configs
  // that stand for the same thing, this one first.
  std::span<const Synonym> synonyms;
  std::string_view documentation;

  bool is_sensitive() const { return type == Type::kPassword; }
};

// Sorted by name.
std::span<const Def> defs(Resource resource);
// Nothing when there is no such key.
const Def* find(Resource resource, std::string_view name);
// The known key that looks most like `name`, when one is near enough to suggest it.
std::optional<std::string_view> did_you_mean(Resource resource, std::string_view name);

enum class ErrorKind : std::uint8_t {
  kUnknownKey,
  kInvalidValue,  // not of the type, not allowed, or in conflict with another value
  kNoEffect,      // known to Kafka, does nothing here
  kReadOnly,      // not to be changed while a broker runs
};
struct Error {
  ErrorKind kind = ErrorKind::kInvalidValue;
  std::string key;
  std::string message;  // names the key, the value and what is allowed
};

// The value as it is to be kept: trimmed, of the right type, allowed, effective. Kafka's rules of
// parsing: booleans are true or false in any case, lists are separated by commas.
std::expected<std::string, Error> parse_value(const Def& def, std::string_view text);

// List elements, trimmed; an empty text is an empty list.
std::vector<std::string> split_list(std::string_view text);

// Checks a whole set of overrides as it would be in force: every key and value, and relations
// between them. The first error in order of names.
std::expected<void, Error> validate(Resource resource, const Overrides& overrides);
// The same for dynamic overrides of brokers, which may only hold keys that can change at run time;
// `cluster_wide`: of all brokers, else of one.
std::expected<void, Error> validate_dynamic_broker(const Overrides& overrides, bool cluster_wide);

// True when values are lists, so that APPEND and SUBTRACT make sense.
bool is_list(Resource resource, std::string_view key);

}  // namespace config
