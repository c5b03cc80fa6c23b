// What differs between two images that follow each other. Built by apply.h while it applies, so
// its size is that of the change, not of the cluster.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/meta/image.h"

namespace meta {

struct TopicDelta {
  TopicPtr before;                    // null: created (or unknown before)
  TopicPtr after;                     // null: deleted
  std::set<std::int32_t> partitions;  // changed or new ones; empty when deleted
  bool configs_changed = false;       // also true when created with overrides
};

struct Delta {
  // The whole image is new (first snapshot, or a jump over a gap): the sets below are complete
  // all the same, computed by comparing.
  bool from_snapshot = false;
  // By id: a topic deleted and created anew under its name is two entries.
  std::map<base::Uuid, TopicDelta> topics;
  std::set<base::BrokerId> brokers;      // registered, changed or removed
  std::set<std::string> broker_configs;  // resource names: broker id, "" = defaults of all
  std::set<std::string> group_configs;   // group names
  bool features_changed = false;

  bool empty() const {
    return topics.empty() && brokers.empty() && broker_configs.empty() && group_configs.empty() &&
           !features_changed;
  }
};

// The slow, obvious way: compares two unrelated images.
Delta difference(const Image& before, const Image& after);

}  // namespace meta
