#include "broker/node/group_topics.h"

#include <set>
#include <utility>

namespace broker {
namespace {

class ImageTopics final : public group::Topics {
 public:
  explicit ImageTopics(meta::ImagePtr image) : image_(std::move(image)) {}

  // From 1, so that 0 is none.
  std::uint64_t version() const override {
    return static_cast<std::uint64_t>(image_->offset().value() + 2);
  }
  std::optional<group::TopicShape> find(std::string_view name) const override {
    const meta::Topic* topic = image_->topic(name);
    if (topic == nullptr) return std::nullopt;
    return group::TopicShape{.name = topic->name,
                             .id = topic->id,
                             .partitions = static_cast<std::int32_t>(topic->partitions.size())};
  }
  std::optional<std::string> name_of(const base::Uuid& id) const override {
    const meta::Topic* topic = image_->topic(id);
    if (topic == nullptr) return std::nullopt;
    return topic->name;
  }
  std::vector<std::string> racks(const base::Uuid& id, std::int32_t partition) const override {
    const meta::Topic* topic = image_->topic(id);
    if (topic == nullptr || static_cast<std::size_t>(partition) >= topic->partitions.size()) {
      return {};
    }
    std::set<std::string> racks;
    for (const base::BrokerId replica :
         topic->partitions[static_cast<std::size_t>(partition)].replicas) {
      const meta::Broker* broker = image_->broker(replica);
      if (broker != nullptr && !broker->rack.empty()) racks.insert(broker->rack);
    }
    return {racks.begin(), racks.end()};
  }
  void for_each_name(const std::function<void(std::string_view)>& visit) const override {
    for (const auto& [name, topic] : image_->topics()) {
      if (!topic->is_internal) visit(name);
    }
  }

 private:
  const meta::ImagePtr image_;
};

}  // namespace

std::shared_ptr<const group::Topics> group_topics(meta::ImagePtr image) {
  return std::make_shared<ImageTopics>(std::move(image));
}

}  // namespace broker
