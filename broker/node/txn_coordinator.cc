#include "broker/node/txn_coordinator.h"

#include <utility>

#include "broker/group/partition_of.h"
#include "broker/node/broker_peers.h"
#include "broker/node/coordinator_topic.h"
#include "broker/node/gathering.h"
#include "broker/node/hosting.h"
#include "broker/node/txn_shard.h"
#include "common/wire/msg/add_partitions_to_txn_request.h"
#include "common/wire/msg/add_partitions_to_txn_response.h"

namespace broker {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kVerifyVersion = 5;

void give(io::Executor& back, TxnDone done, TxnAnswer answer) {
  if (back.here()) return done(std::move(answer));
  back.post(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

// Why there is no shard to ask: before it is made, or because it is another broker's.
ErrorCode missing_shard(const meta::Topic* topic, std::size_t partition, base::BrokerId us) {
  if (topic == nullptr || partition >= topic->partitions.size()) return ErrorCode::kNotCoordinator;
  return topic->partitions[partition].leader == us ? ErrorCode::kCoordinatorLoadInProgress
                                                   : ErrorCode::kNotCoordinator;
}

// What the error of the whole comes to for a partition that is written to.
ErrorCode as_seen_by_writers(ErrorCode error) {
  switch (error) {
    case ErrorCode::kProducerFenced:
      return ErrorCode::kInvalidProducerEpoch;
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kNetworkException:
    case ErrorCode::kRequestTimedOut:
      return ErrorCode::kNotEnoughReplicas;
    default:
      return error;
  }
}

std::vector<ErrorCode> verdicts(const txn::PartitionsAnswer& answer, std::size_t count) {
  if (answer.error == ErrorCode::kNone) return answer.partitions;
  return std::vector<ErrorCode>(count, as_seen_by_writers(answer.error));
}

}  // namespace

TxnCoordinators::TxnCoordinators(Node& node)
    : node_(node),
      shards_(std::make_shared<const Shards>()),
      topic_(std::make_unique<CoordinatorTopic>(
          node, CoordinatorTopic::Shape{.name = std::string(kTransactionsTopic),
                                        .partitions = node.config.transaction_log_num_partitions,
                                        .replication_factor =
                                            node.config.transaction_log_replication_factor,
                                        .segment_bytes = node.config.transaction_log_segment_bytes,
                                        .min_isr = node.config.transaction_log_min_isr})),
      alive_(std::make_shared<bool>(true)) {}

TxnCoordinators::~TxnCoordinators() { *alive_ = false; }

void TxnCoordinators::on_change(const meta::ImagePtr& before, const meta::ImagePtr& after,
                                const meta::Delta& delta) {
  const meta::Topic* old_topic = before->topic(kTransactionsTopic);
  const meta::Topic* new_topic = after->topic(kTransactionsTopic);
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

void TxnCoordinators::update(const meta::ImagePtr& image) {
  const auto before = shards_.load();
  const auto table = node_.partitions->snapshot();
  const meta::Topic* topic = image->topic(kTransactionsTopic);
  auto after = std::make_shared<Shards>(topic == nullptr ? 0 : topic->partitions.size());
  for (std::size_t i = 0; i < after->size(); ++i) {
    const meta::Partition& state = topic->partitions[i];
    if (state.leader != node_.broker_id) continue;
    auto partition = table->find(topic->id, static_cast<std::int32_t>(i));
    const auto old = i < before->size() ? (*before)[i] : nullptr;
    const bool goes_on = old != nullptr && old->partition() == partition &&
                         old->leader_epoch() == state.leader_epoch;
    (*after)[i] = goes_on ? old
                          : std::make_shared<TxnShard>(
                                node_, node_.reactor_for(static_cast<std::uint32_t>(i)),
                                std::move(partition), state.leader_epoch);
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

void TxnCoordinators::stop() {
  *alive_ = false;
  topic_->stop();
  for (const auto& shard : *shards_.load()) {
    if (shard != nullptr) shard->stop();
  }
}

void TxnCoordinators::ask(const std::string& id, TxnRequest request, io::Executor& back,
                          TxnDone done) {
  const auto shards = shards_.load();
  const auto image = node_.image();
  const meta::Topic* topic = image->topic(kTransactionsTopic);
  const std::size_t count = topic == nullptr ? shards->size() : topic->partitions.size();
  if (count == 0) return give(back, std::move(done), std::unexpected(ErrorCode::kNotCoordinator));
  const auto at =
      static_cast<std::size_t>(group::partition_of(id, static_cast<std::int32_t>(count)));
  // Between two images the numbers of partitions may differ: then nobody is asked.
  if (shards->size() != count || (*shards)[at] == nullptr) {
    return give(back, std::move(done), std::unexpected(missing_shard(topic, at, node_.broker_id)));
  }
  (*shards)[at]->ask(std::move(request), back, std::move(done));
}

void TxnCoordinators::ask_all(const txn::ListTransactions& request, io::Executor& back,
                              std::move_only_function<void(std::vector<TxnAnswer>)> done) {
  auto shards = *shards_.load();
  std::erase(shards, nullptr);
  const auto all = std::make_shared<Gathering<TxnAnswer>>(
      back, std::vector<TxnAnswer>(shards.size()), std::move(done));
  for (std::size_t i = 0; i < shards.size(); ++i) shards[i]->ask(request, back, all->place(i));
  all->all_asked();
}

TxnCoordinators::Place TxnCoordinators::place_of(std::string_view id, const meta::Topic& topic,
                                                 const meta::Image& image) const {
  const auto count = static_cast<std::int32_t>(topic.partitions.size());
  const auto index = static_cast<std::size_t>(group::partition_of(id, count));
  const base::BrokerId leader = topic.partitions[index].leader;
  const meta::Broker* broker = image.broker(leader);
  if (broker == nullptr || broker->fenced) {
    return {.error = ErrorCode::kCoordinatorNotAvailable,
            .message =
                std::string(kTransactionsTopic) + "-" + std::to_string(index) + " has no leader"};
  }
  return {.broker = leader};
}

void TxnCoordinators::find(const std::string& id, io::Executor& back,
                           std::move_only_function<void(Place)> done) {
  const auto image = node_.image();
  if (const meta::Topic* topic = image->topic(kTransactionsTopic)) {
    return done(place_of(id, *topic, *image));
  }
  topic_->ensure(back, [this, id, done = std::move(done)](const wire::Error& error) mutable {
    const auto now = node_.image();
    const meta::Topic* topic = now->topic(kTransactionsTopic);
    if (topic != nullptr) return done(place_of(id, *topic, *now));
    done({.error = ErrorCode::kCoordinatorNotAvailable, .message = error.message});
  });
}

void TxnCoordinators::verify(Reactor& reactor, txn::AddPartitions request, Verified done) {
  const auto image = node_.image();
  const std::size_t count = request.partitions.size();
  const meta::Topic* topic = image->topic(kTransactionsTopic);
  const Place place = topic == nullptr ? Place{.error = ErrorCode::kInvalidProducerIdMapping}
                                       : place_of(request.id, *topic, *image);
  if (place.error != ErrorCode::kNone) {
    return done(std::vector<ErrorCode>(count, as_seen_by_writers(place.error)));
  }
  if (place.broker != node_.broker_id) {
    return verify_remote(reactor, place.broker, request, std::move(done));
  }
  const std::string id = request.id;
  ask(id, std::move(request), reactor.executor,
      [count, done = std::move(done)](TxnAnswer answer) mutable {
        txn::PartitionsAnswer all{.error = answer ? ErrorCode::kNone : answer.error()};
        if (answer) all = std::move(std::get<txn::PartitionsAnswer>(*answer));
        done(verdicts(all, count));
      });
}

void TxnCoordinators::verify_remote(Reactor& reactor, base::BrokerId coordinator,
                                    const txn::AddPartitions& request, Verified done) {
  wire::AddPartitionsToTxnRequest asked;
  auto& transaction = asked.transactions.emplace_back();
  transaction.transactional_id = request.id;
  transaction.producer_id = request.producer.id.value();
  transaction.producer_epoch = request.producer.epoch.value();
  transaction.verify_only = request.verify_only;
  for (const auto& at : request.partitions) {
    transaction.topics.push_back({.name = at.topic, .partitions = {at.partition}});
  }
  node_.peers->call<wire::AddPartitionsToTxnResponse>(
      reactor, coordinator, asked, kVerifyVersion,
      [partitions = request.partitions, done = std::move(done)](
          wire::AddPartitionsToTxnResponse* response, const io::IoError&) mutable {
        std::vector<ErrorCode> errors(partitions.size(), ErrorCode::kNotEnoughReplicas);
        if (response == nullptr) return done(std::move(errors));
        if (response->error_code != ErrorCode::kNone) {
          errors.assign(partitions.size(), as_seen_by_writers(response->error_code));
        } else if (!response->results_by_transaction.empty()) {
          for (const auto& topic : response->results_by_transaction.front().topic_results) {
            for (const auto& each : topic.results_by_partition) {
              for (std::size_t i = 0; i < partitions.size(); ++i) {
                const auto& at = partitions[i];
                if (at.topic != topic.name || at.partition != each.partition_index) continue;
                errors[i] = as_seen_by_writers(each.partition_error_code);
              }
            }
          }
        }
        done(std::move(errors));
      });
}

TxnCoordinators::Totals TxnCoordinators::totals() const {
  Totals totals;
  for (const auto& shard : *shards_.load()) {
    if (shard != nullptr) shard->add_to(totals);
  }
  return totals;
}

}  // namespace broker
