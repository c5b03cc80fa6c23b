#include "common/config/describe.h"

#include <utility>

#include "common/config/inherit.h"

namespace config {
namespace {

// Places where values are set, strongest first.
template <class Visit>
void for_each_setting(const BrokerLayers& layers, std::string_view name, Source layer,
                      Visit visit) {
  const Overrides* overrides = layer == Source::kDynamicBroker    ? layers.broker
                               : layer == Source::kDynamicCluster ? layers.cluster
                                                                  : nullptr;
  if (overrides != nullptr)
    if (const auto at = overrides->find(name); at != overrides->end()) visit(at->second);
  if (layer == Source::kStaticBroker && layers.given != nullptr)
    if (const auto at = layers.given->find(name); at != layers.given->end())
      visit(at->second.value);
}

constexpr Source kBrokerSources[] = {Source::kDynamicBroker, Source::kDynamicCluster,
                                     Source::kStaticBroker};

// Where broker configs are set, layer by layer, then their defaults.
std::vector<EntrySynonym> broker_synonyms(std::span<const Synonym> names,
                                          const BrokerLayers& layers) {
  std::vector<EntrySynonym> synonyms;
  for (Source layer : kBrokerSources)
    for (const Synonym& synonym : names)
      for_each_setting(layers, synonym.name, layer, [&](const std::string& value) {
        synonyms.push_back({std::string(synonym.name), value, layer});
      });
  for (const Synonym& synonym : names) {
    const Def* def = find(Resource::kBroker, synonym.name);
    if (def != nullptr && def->default_value)
      synonyms.push_back(
          {std::string(synonym.name), std::string(*def->default_value), Source::kDefault});
  }
  return synonyms;
}

Source source_of(std::string_view name, const BrokerLayers& layers) {
  for (Source layer : kBrokerSources) {
    bool found = false;
    for_each_setting(layers, name, layer, [&](const std::string&) { found = true; });
    if (found) return layer;
  }
  return Source::kDefault;
}

Entry entry_of(const Def& def) {
  return {.name = def.name,
          .is_read_only = def.effect == Effect::kDefaultOnly,
          .is_sensitive = def.is_sensitive(),
          .type = def.type,
          .documentation = def.documentation};
}

void hide_if_sensitive(Entry& entry) {
  if (!entry.is_sensitive) return;
  entry.value.reset();
  for (EntrySynonym& synonym : entry.synonyms) synonym.value.reset();
}

std::vector<Entry> describe_resource(Resource resource, Source own, const Overrides& overrides,
                                     const BrokerLayers& layers) {
  std::vector<Entry> entries;
  for (const Def& def : defs(resource)) {
    // Shown only where it is set, as Kafka does.
    if (def.name.starts_with("internal.") && !overrides.contains(def.name)) continue;
    Entry entry = entry_of(def);
    Inherited inherited = inherited_value(def, overrides, layers);
    entry.value = std::move(inherited.value);
    if (inherited.is_override) {
      entry.source = own;
      entry.synonyms.push_back({std::string(def.name), entry.value, own});
    } else if (inherited.from != nullptr) {
      entry.source = source_of(inherited.from->name, layers);
    }
    for (EntrySynonym& synonym : broker_synonyms(def.synonyms, layers))
      entry.synonyms.push_back(std::move(synonym));
    if (def.synonyms.empty() && def.default_value)
      entry.synonyms.push_back(
          {std::string(def.name), std::string(*def.default_value), Source::kDefault});
    hide_if_sensitive(entry);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

std::vector<Entry> describe_topic(const Overrides& overrides, const BrokerLayers& layers) {
  return describe_resource(Resource::kTopic, Source::kTopic, overrides, layers);
}

std::vector<Entry> describe_group(const Overrides& overrides, const BrokerLayers& layers) {
  return describe_resource(Resource::kGroup, Source::kGroup, overrides, layers);
}

std::vector<Entry> describe_broker(const BrokerLayers& layers) {
  std::vector<Entry> entries;
  for (const Def& def : defs(Resource::kBroker)) {
    Entry entry = entry_of(def);
    entry.is_read_only = entry.is_read_only || def.change == Change::kReadOnly;
    entry.value = layers.value(def.name);
    entry.source = source_of(def.name, layers);
    const Synonym itself[] = {{def.name}};
    entry.synonyms = broker_synonyms(
        def.synonyms.empty() ? std::span<const Synonym>(itself) : def.synonyms, layers);
    hide_if_sensitive(entry);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<Entry> describe_cluster_default(const Overrides& cluster) {
  std::vector<Entry> entries;
  for (const auto& [key, value] : cluster) {
    const Def* def = find(Resource::kBroker, key);
    if (def == nullptr) continue;
    Entry entry = entry_of(*def);
    entry.value = value;
    entry.source = Source::kDynamicCluster;
    entry.synonyms.push_back({key, value, Source::kDynamicCluster});
    hide_if_sensitive(entry);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace config
