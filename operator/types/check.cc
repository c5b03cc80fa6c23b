// A value against its schema, and the schema's defaults.
#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "operator/types/schema.h"

namespace kube {
namespace {

constexpr std::size_t kShownMax = 60;

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

bool has_type(const Json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  return value.is_object();
}

std::string called(std::string_view type) {
  if (type == "string") return "a text";
  if (type == "integer") return "a whole number";
  if (type == "boolean") return "true or false";
  if (type == "array") return "a list";
  return "an object";
}

class Check {
 public:
  void look(const Json& schema, const Json& value, const std::string& path) {
    if (flag_at(schema, {"x-kubernetes-int-or-string"})) return look_at_amount(schema, value, path);
    const std::string type = text_at(schema, {"type"});
    if (type.empty()) {
      if (value.is_object() || value.is_array() || value.is_null()) {
        say(path, "must be a text, a number, true or false, not " + shown(value));
      }
      return;
    }
    if (!has_type(value, type)) {
      return say(path, "must be " + called(type) + ", not " + shown(value));
    }
    if (const Json* allowed = find(schema, {"enum"})) look_at_choice(*allowed, value, path);
    if (value.is_number_integer()) look_at_number(schema, value, path);
    if (value.is_string()) look_at_text(schema, value, path);
    if (value.is_object()) look_at_object(schema, value, path);
    if (value.is_array()) look_at_list(schema, value, path);
  }

  std::vector<Problem> take() { return std::move(problems_); }

 private:
  void say(const std::string& path, std::string message) {
    problems_.push_back({path, std::move(message)});
  }

  void look_at_amount(const Json& schema, const Json& value, const std::string& path) {
    const bool right = value.is_number_unsigned() ||
                       (value.is_string() && matches(text_at(schema, {"pattern"}), value));
    if (!right) say(path, "must be an amount such as \"500m\", \"2Gi\" or 4, not " + shown(value));
  }

  void look_at_choice(const Json& allowed, const Json& value, const std::string& path) {
    if (std::ranges::find(allowed, value) != allowed.end()) return;
    std::string text;
    for (const Json& each : allowed) {
      text +=
          (text.empty() ? "" : ", ") + (each.is_string() ? each.get<std::string>() : shown(each));
    }
    say(path, "must be one of " + text + ", not " + shown(value));
  }

  void look_at_number(const Json& schema, const Json& value, const std::string& path) {
    const std::int64_t number = value.get<std::int64_t>();
    const std::int64_t least = number_at(schema, {"minimum"}, INT32_MIN);
    const std::int64_t most = number_at(schema, {"maximum"}, INT32_MAX);
    if (number < least)
      say(path, "must be at least " + std::to_string(least) + ", not " + shown(value));
    if (number > most)
      say(path, "must be at most " + std::to_string(most) + ", not " + shown(value));
  }

  static bool matches(const std::string& pattern, const Json& value) {
    // As many as the schemas have.
    thread_local std::map<std::string, std::regex> compiled;
    auto at = compiled.find(pattern);
    if (at == compiled.end()) at = compiled.emplace(pattern, pattern).first;
    return std::regex_match(value.get_ref<const std::string&>(), at->second);
  }

  void look_at_text(const Json& schema, const Json& value, const std::string& path) {
    const auto size = static_cast<std::int64_t>(value.get_ref<const std::string&>().size());
    const std::int64_t most = number_at(schema, {"maxLength"}, 4096);
    if (size > most) return say(path, "is longer than " + std::to_string(most) + " characters");
    if (size < number_at(schema, {"minLength"})) return say(path, "must not be empty");
    const std::string pattern = text_at(schema, {"pattern"});
    if (pattern.empty() || matches(pattern, value)) return;
    say(path, "must look like " + pattern + ", not " + shown(value));
  }

  void look_at_object(const Json& schema, const Json& value, const std::string& path) {
    for (const Json& name : list_at(schema, {"required"})) {
      if (!value.contains(name.get<std::string>())) {
        say(path + "." + name.get<std::string>(), "must be given");
      }
    }
    const Json& fields = object_at(schema, {"properties"});
    const Json* others = find(schema, {"additionalProperties"});
    for (const auto& [name, each] : value.items()) {
      const std::string at = path + "." + name;
      const auto known = fields.find(name);
      if (known != fields.end()) {
        look(*known, each, at);
      } else if (others) {
        look(*others, each, at);
      } else if (!flag_at(schema, {"x-kubernetes-preserve-unknown-fields"})) {
        say(at, "there is no such field");
      }
    }
  }

  void look_at_list(const Json& schema, const Json& value, const std::string& path) {
    const auto size = static_cast<std::int64_t>(value.size());
    const std::int64_t least = number_at(schema, {"minItems"});
    const std::int64_t most = number_at(schema, {"maxItems"}, 10'000);
    if (size < least) say(path, "must have at least " + std::to_string(least));
    if (size > most) return say(path, "must have at most " + std::to_string(most));
    std::string key;
    for (const Json& each : list_at(schema, {"x-kubernetes-list-map-keys"})) {
      key = each.get<std::string>();
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string at = path + "[" + std::to_string(i) + "]";
      look(object_at(schema, {"items"}), value[i], at);
      if (key.empty() || !value[i].is_object()) continue;
      const std::string name = text_at(value[i], {key});
      if (!seen.insert(name).second) say(at + "." + key, "\"" + name + "\" is there twice");
    }
  }

  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check(const Json& schema, const Json& value, const std::string& path) {
  Check all;
  all.look(schema, value, path);
  return all.take();
}

Json with_defaults(const Json& schema, Json value) {
  if (value.is_object()) {
    for (const auto& [name, field] : object_at(schema, {"properties"}).items()) {
      const Json* otherwise = find(field, {"default"});
      if (otherwise && !value.contains(name)) value[name] = *otherwise;
      if (value.contains(name)) value[name] = with_defaults(field, std::move(value[name]));
    }
  }
  if (value.is_array()) {
    for (Json& each : value) each = with_defaults(object_at(schema, {"items"}), std::move(each));
  }
  return value;
}

}  // namespace kube
