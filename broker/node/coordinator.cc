#include "broker/node/coordinator.h"

#include <algorithm>
#include <utility>

#include "broker/group/partition_of.h"
#include "broker/node/coordinator_shard.h"
#include "broker/node/coordinator_topic.h"
#include "broker/node/gathering.h"
#include "broker/node/hosting.h"

namespace broker {
namespace {

using wire::ErrorCode;

constexpr std::chrono::seconds kLookAgainAfter{1};

void give(io::Executor& back, GroupDone done, GroupAnswer answer) {
  if (back.here()) return done(std::move(answer));
  back.post(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

// Why there is no shard to ask: before it is made, or because it is another broker's.
ErrorCode missing_shard(const meta::Topic* topic, std::int32_t partition, base::BrokerId us) {
  if (topic == nullptr || static_cast<std::size_t>(partition) >= topic->partitions.size()) {
    return ErrorCode::kNotCoordinator;
  }
  const bool is_ours = topic->partitions[static_cast<std::size_t>(partition)].leader == us;
  return is_ours ? ErrorCode::kCoordinatorLoadInProgress : ErrorCode::kNotCoordinator;
}

}  // namespace

GroupCoordinators::GroupCoordinators(Node& node, base::Random random)
    : node_(node),
      random_(random),
      shards_(std::make_shared<const Shards>()),
      topic_(std::make_unique<CoordinatorTopic>(
          node, CoordinatorTopic::Shape{.name = std::string(kOffsetsTopic),
                                        .partitions = node.config.offsets_topic_num_partitions,
                                        .replication_factor =
                                            node.config.offsets_topic_replication_factor,
                                        .segment_bytes = node.config.offsets_topic_segment_bytes})),
      alive_(std::make_shared<bool>(true)),
      unopened_([this] { update(node_.image()); }) {}

GroupCoordinators::~GroupCoordinators() { *alive_ = false; }

void GroupCoordinators::on_change(const meta::ImagePtr& before, const meta::ImagePtr& after,
                                  const meta::Delta& delta) {
  const meta::Topic* old_topic = before->topic(kOffsetsTopic);
  const meta::Topic* new_topic = after->topic(kOffsetsTopic);
  for (const auto& [id, topic] : delta.topics) {
    if (topic.after != nullptr || topic.before == nullptr) continue;
    for (const auto& shard : *shards_.load()) {
      if (shard != nullptr) shard->topic_deleted(topic.before->name, id);
    }
  }
  if (old_topic == nullptr && new_topic == nullptr) return;
  const bool is_touched = old_topic == nullptr || new_topic == nullptr ||
                          old_topic->id != new_topic->id || delta.topics.contains(new_topic->id);
  if (!is_touched) return;
  // Shards need their partitions open.
  io::Executor& home = node_.reactors.front()->executor;
  node_.hosting->when_applied(after->offset(), home, [this, alive = alive_, after] {
    if (*alive) update(after);
  });
}

void GroupCoordinators::update(const meta::ImagePtr& image) {
  const auto before = shards_.load();
  const auto table = node_.partitions->snapshot();
  const meta::Topic* topic = image->topic(kOffsetsTopic);
  auto after = std::make_shared<Shards>(topic == nullptr ? 0 : topic->partitions.size());
  for (std::size_t i = 0; i < after->size(); ++i) {
    const meta::Partition& state = topic->partitions[i];
    if (state.leader != node_.broker_id) continue;
    auto partition = table->find(topic->id, static_cast<std::int32_t>(i));
    if (partition == nullptr) {
      // It could not be opened so far, as with a full disk.
      auto& home = node_.reactors.front()->executor;
      home.timers().set(unopened_, home.now() + kLookAgainAfter);
      continue;
    }
    const auto old = i < before->size() ? (*before)[i] : nullptr;
    const bool goes_on = old != nullptr && old->partition() == partition &&
                         old->leader_epoch() == state.leader_epoch;
    if (goes_on) {
      (*after)[i] = old;
      continue;
    }
    (*after)[i] = std::make_shared<CoordinatorShard>(
        node_, node_.reactor_for(static_cast<std::uint32_t>(i)).executor, std::move(partition),
        state.leader_epoch,
        random_.split("shard " + std::to_string(i) + " of epoch " +
                      std::to_string(state.leader_epoch.value())));
  }
  shards_.store(after);
  for (std::size_t i = 0; i < before->size(); ++i) {
    const bool is_kept = i < after->size() && (*after)[i] == (*before)[i];
    if ((*before)[i] != nullptr && !is_kept) (*before)[i]->stop();
  }
  for (std::size_t i = 0; i < after->size(); ++i) {
    const bool is_old = i < before->size() && (*after)[i] == (*before)[i];
    if ((*after)[i] != nullptr && !is_old) (*after)[i]->start();
  }
}

void GroupCoordinators::stop() {
  *alive_ = false;
  unopened_.cancel();
  topic_->stop();
  for (const auto& shard : *shards_.load()) {
    if (shard != nullptr) shard->stop();
  }
}

void GroupCoordinators::ask(const std::string& group_id, GroupCaller caller, GroupRequest request,
                            GroupDone done) {
  const auto shards = shards_.load();
  const auto image = node_.image();
  const meta::Topic* topic = image->topic(kOffsetsTopic);
  const std::size_t count = topic == nullptr ? shards->size() : topic->partitions.size();
  if (count == 0) {
    return give(*caller.back, std::move(done), std::unexpected(ErrorCode::kNotCoordinator));
  }
  const auto index = group::partition_of(group_id, static_cast<std::int32_t>(count));
  const auto at = static_cast<std::size_t>(index);
  // Between two images the numbers of partitions may differ: then nobody is asked.
  if (shards->size() != count || (*shards)[at] == nullptr) {
    return give(*caller.back, std::move(done),
                std::unexpected(missing_shard(topic, index, node_.broker_id)));
  }
  (*shards)[at]->ask(std::move(caller), std::move(request), std::move(done));
}

void GroupCoordinators::ask_all(const GroupCaller& caller, const group::ListGroups& request,
                                std::move_only_function<void(std::vector<GroupAnswer>)> done) {
  const auto shards = shards_.load();
  const auto image = node_.image();
  const meta::Topic* topic = image->topic(kOffsetsTopic);
  const std::size_t count = topic == nullptr ? 0 : topic->partitions.size();
  std::vector<GroupAnswer> answers(count, std::unexpected(ErrorCode::kNotCoordinator));
  for (std::size_t i = 0; i < count; ++i) {
    if (i < shards->size() && (*shards)[i] != nullptr) continue;
    answers[i] =
        std::unexpected(missing_shard(topic, static_cast<std::int32_t>(i), node_.broker_id));
  }
  const auto all =
      std::make_shared<Gathering<GroupAnswer>>(*caller.back, std::move(answers), std::move(done));
  for (std::size_t i = 0; i < std::min(count, shards->size()); ++i) {
    if ((*shards)[i] != nullptr) (*shards)[i]->ask(caller, request, all->place(i));
  }
  all->all_asked();
}

void GroupCoordinators::end_transaction(std::int32_t partition, const group::EndTransaction& end,
                                        io::Executor& back,
                                        std::move_only_function<void(ErrorCode)> done) {
  const auto shards = shards_.load();
  const auto at = static_cast<std::size_t>(partition);
  if (partition < 0 || at >= shards->size() || (*shards)[at] == nullptr) {
    return back.post([done = std::move(done)]() mutable { done(ErrorCode::kNotLeaderOrFollower); });
  }
  (*shards)[at]->ask({.back = &back}, end, [done = std::move(done)](GroupAnswer answer) mutable {
    // Coordinators of transactions know the errors of partitions only.
    if (answer) return done(std::get<group::TransactionEnded>(*answer).error);
    const bool is_elsewhere = answer.error() == ErrorCode::kNotCoordinator ||
                              answer.error() == ErrorCode::kCoordinatorNotAvailable ||
                              answer.error() == ErrorCode::kCoordinatorLoadInProgress;
    done(is_elsewhere ? ErrorCode::kNotLeaderOrFollower : answer.error());
  });
}

std::shared_ptr<Partition> GroupCoordinators::partition_of(std::string_view group_id) const {
  const auto shards = shards_.load();
  if (shards->empty()) return nullptr;
  const auto at = static_cast<std::size_t>(
      group::partition_of(group_id, static_cast<std::int32_t>(shards->size())));
  return (*shards)[at] == nullptr ? nullptr : (*shards)[at]->partition();
}

GroupCoordinators::Place GroupCoordinators::place_of(std::string_view group_id,
                                                     const meta::Topic& topic,
                                                     const meta::Image& image) const {
  const auto count = static_cast<std::int32_t>(topic.partitions.size());
  const auto index = static_cast<std::size_t>(group::partition_of(group_id, count));
  const base::BrokerId leader = topic.partitions[index].leader;
  const meta::Broker* broker = image.broker(leader);
  if (broker == nullptr || broker->fenced) {
    return {.error = ErrorCode::kCoordinatorNotAvailable,
            .message = std::string(kOffsetsTopic) + "-" + std::to_string(index) + " has no leader"};
  }
  return {.broker = leader};
}

void GroupCoordinators::find(const std::string& group_id, io::Executor& back,
                             std::move_only_function<void(Place)> done) {
  const auto image = node_.image();
  if (const meta::Topic* topic = image->topic(kOffsetsTopic)) {
    return done(place_of(group_id, *topic, *image));
  }
  topic_->ensure(back, [this, group_id, done = std::move(done)](const wire::Error& error) mutable {
    const auto now = node_.image();
    const meta::Topic* topic = now->topic(kOffsetsTopic);
    if (topic != nullptr) return done(place_of(group_id, *topic, *now));
    done({.error = ErrorCode::kCoordinatorNotAvailable, .message = error.message});
  });
}

GroupCoordinators::Totals GroupCoordinators::totals() const {
  Totals totals;
  for (const auto& shard : *shards_.load()) {
    if (shard != nullptr) shard->add_to(totals);
  }
  return totals;
}

}  // namespace broker
