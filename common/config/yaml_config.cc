#include "common/config/yaml_config.h"

#include <yaml-cpp/yaml.h>

#include <map>

namespace config {
namespace {

constexpr int kDepthMax = 16;
constexpr std::size_t kKeysMax = 10'000;
constexpr std::string_view kPrefix = "MOLDAU_";

// One value as it was written, before anybody judged it.
struct Written {
  std::string key;
  std::string value;
  std::string origin;
};

class Loader {
 public:
  void add_file(const std::string& file_name, const std::string& text);
  void add_environment(const std::vector<std::pair<std::string, std::string>>& environment);
  void add_sets(const std::vector<std::string>& sets);
  std::expected<GivenValues, std::string> finish() &&;

 private:
  void fail(const std::string& origin, std::string_view why) {
    if (!errors_.empty()) errors_ += '\n';
    errors_ += origin + ": " + std::string(why);
  }
  std::string at(const YAML::Mark& mark) const {
    return file_name_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  }
  void walk(const YAML::Node& node, const std::string& prefix, int depth);
  void take_leaf(const std::string& key, const YAML::Node& value, const std::string& origin);
  void take_sequence(const std::string& key, const YAML::Node& value, const std::string& origin);
  // Judges one value and lets it replace those of weaker layers.
  void take(Written written);

  std::string file_name_;
  std::map<std::string, std::string> file_keys_;  // key -> where, to find repetitions
  GivenValues values_;
  std::string errors_;
};

void Loader::add_file(const std::string& file_name, const std::string& text) {
  file_name_ = file_name;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsDefined() || root.IsNull()) return;
    if (!root.IsMap()) return fail(at(root.Mark()), "a configuration is a map of keys to values");
    walk(root, "", 0);
  } catch (const YAML::Exception& error) {  // yaml-cpp has no other way to tell
    fail(at(error.mark), error.msg);
  }
}

void Loader::walk(const YAML::Node& node, const std::string& prefix, int depth) {
  if (depth > kDepthMax) return fail(at(node.Mark()), "keys are nested too deeply");
  for (const auto& pair : node) {
    const std::string origin = at(pair.first.Mark());
    if (!pair.first.IsScalar()) {
      fail(origin, "a key must be a word");
      continue;
    }
    const std::string key = prefix + pair.first.Scalar();
    if (pair.second.IsMap() && pair.second.size() > 0) {
      walk(pair.second, key + ".", depth + 1);
      continue;
    }
    if (file_keys_.size() >= kKeysMax) return fail(origin, "there are too many keys");
    const auto [known, fresh] = file_keys_.emplace(key, origin);
    if (!fresh) {
      fail(origin, key + " was set already at " + known->second);
      continue;
    }
    take_leaf(key, pair.second, origin);
  }
}

void Loader::take_leaf(const std::string& key, const YAML::Node& value, const std::string& origin) {
  if (value.IsScalar()) return take({key, value.Scalar(), origin});
  if (value.IsSequence()) return take_sequence(key, value, origin);
  fail(origin, key + " has no value");
}

void Loader::take_sequence(const std::string& key, const YAML::Node& value,
                           const std::string& origin) {
  std::string joined;
  for (const YAML::Node& element : value) {
    if (!element.IsScalar())
      return fail(at(element.Mark()), "the elements of " + key + " must be words");
    if (element.Scalar().find(',') != std::string::npos)
      return fail(at(element.Mark()), "an element of " + key + " has a comma");
    joined += (joined.empty() ? "" : ",") + element.Scalar();
  }
  const Def* def = find(Resource::kBroker, key);
  if (def != nullptr && def->type != Type::kList) return fail(origin, key + " is not a list");
  take({key, std::move(joined), origin});
}

// The key that a variable stands for; nothing when it is not one of ours.
std::optional<std::string> key_of_variable(std::string_view variable) {
  if (!variable.starts_with(kPrefix)) return std::nullopt;
  // MOLDAU__HTTP__LISTEN is moldau.http.listen, MOLDAU_LOG__DIRS is log.dirs.
  if (!variable.starts_with("MOLDAU__")) variable.remove_prefix(kPrefix.size());
  std::string key;
  for (std::size_t i = 0; i < variable.size(); ++i) {
    const char c = variable[i];
    if (variable.substr(i).starts_with("__")) {
      key += '.';
      ++i;
    } else if (c >= 'A' && c <= 'Z') {
      key += static_cast<char>(c - 'A' + 'a');
    } else {
      key += c;
    }
  }
  return key;
}

void Loader::add_environment(const std::vector<std::pair<std::string, std::string>>& environment) {
  for (const auto& [variable, value] : environment) {
    const auto key = key_of_variable(variable);
    if (!key) continue;
    // Kubernetes puts MOLDAU_PORT, MOLDAU_SERVICE_HOST and the like next to a service of that name:
    // what neither has a dot nor looks like a key is not meant for us.
    const bool ours =
        find(Resource::kBroker, *key) != nullptr || key->find('.') != std::string::npos ||
        (key->find('_') == std::string::npos && did_you_mean(Resource::kBroker, *key));
    if (ours) take({*key, value, variable});
  }
}

void Loader::add_sets(const std::vector<std::string>& sets) {
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail("--set " + set, "it must have the form key=value");
      continue;
    }
    take({set.substr(0, equals), set.substr(equals + 1), "--set " + set.substr(0, equals)});
  }
}

void Loader::take(Written written) {
  const Def* def = find(Resource::kBroker, written.key);
  if (def == nullptr) {
    std::string why = "unknown key " + written.key;
    if (const auto near = did_you_mean(Resource::kBroker, written.key))
      why += ", did you mean " + std::string(*near) + "?";
    return fail(written.origin, why);
  }
  auto parsed = parse_value(*def, written.value);
  if (!parsed) return fail(written.origin, parsed.error().message);
  values_[written.key] = {*std::move(parsed), std::move(written.origin)};
}

std::expected<GivenValues, std::string> Loader::finish() && {
  if (!errors_.empty()) return std::unexpected(std::move(errors_));
  return std::move(values_);
}

}  // namespace

std::expected<GivenValues, std::string> load(const LoadInput& input) {
  Loader loader;
  if (!input.file_name.empty()) loader.add_file(input.file_name, input.file_text);
  loader.add_environment(input.environment);
  loader.add_sets(input.sets);
  return std::move(loader).finish();
}

std::string environment_name(std::string_view key) {
  std::string variable = key.starts_with("moldau.") ? "" : std::string(kPrefix);
  for (char c : key) {
    if (c == '.')
      variable += "__";
    else
      variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return variable;
}

}  // namespace config
