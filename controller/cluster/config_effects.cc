#include "controller/cluster/config_effects.h"

#include "common/base/mutant.h"
#include "controller/cluster/partition_change.h"

namespace controller::cluster {
namespace {

void follow(const meta::Topic& topic, const TopicRules& before, const TopicRules& after,
            const Roster& roster, std::vector<proto::Record>& out) {
  const bool other_min = before.min_isr != after.min_isr && !MUTANT("keep-elr-over-config");
  const bool elects = after.unclean && !before.unclean;
  if (!other_min && !elects) return;
  std::int32_t index = -1;
  for (const meta::Partition& partition : topic.partitions) {
    ++index;
    const bool leaderless = elects && partition.leader == meta::kNoBroker;
    if (!leaderless && !(other_min && !partition.elr.empty())) continue;
    PartitionChange change(topic, index);
    if (other_min) change.elr.clear();
    if (auto record = change.decide(roster, after)) out.push_back(std::move(*record));
  }
}

}  // namespace

void follow_config_change(proto::ConfigResource kind, const std::string& name,
                          const meta::Configs& after, const meta::Image& image,
                          const Settings& settings, std::vector<proto::Record>& out) {
  const Roster roster(image);
  if (kind == proto::CONFIG_RESOURCE_TOPIC) {
    const meta::Topic* topic = image.topic(name);
    if (!topic) return;
    follow(*topic, TopicRules::of(topic->configs, image, settings),
           TopicRules::of(after, image, settings), roster, out);
  } else if (kind == proto::CONFIG_RESOURCE_BROKER && name.empty()) {
    for (const auto& [topic_name, topic] : image.topics()) {
      follow(*topic, TopicRules::of(topic->configs, image, settings),
             TopicRules::of(topic->configs, after, settings), roster, out);
    }
  }
}

}  // namespace controller::cluster
