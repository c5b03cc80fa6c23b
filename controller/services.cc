// The controller's services: a request is decided against the log's end, its records are appended,
// and the reply leaves once they are committed.
#include <utility>

#include "common/base/check.h"
#include "common/meta/apply.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/verdict.h"
#include "controller/core.h"
#include "controller/node/methods.h"
#include "controller/node/wal_format.h"

namespace controller {
namespace {

constexpr base::Duration kChoresEvery = std::chrono::seconds(1);

// A larger entry would not fit into one message between controllers.
constexpr std::size_t kEntryBytesMax = 32 << 20;
static_assert(kEntryBytesMax <= wal::kEntryBytesMax);

// Elections that may have lost what was acknowledged: of a leader that was neither in sync nor
// known to hold it all (KIP-966).
std::uint64_t unclean_elections(const std::vector<proto::Record>& records,
                                const meta::Image& before) {
  std::uint64_t found = 0;
  for (const auto& record : records) {
    if (!record.has_partition_change() || !record.partition_change().has_leader()) continue;
    const auto& change = record.partition_change();
    const base::BrokerId leader(change.leader());
    const meta::Topic* topic = before.topic(meta::from_proto(change.topic_id()));
    const auto index = static_cast<std::size_t>(change.partition());
    if (leader == meta::kNoBroker || topic == nullptr || index >= topic->partitions.size())
      continue;
    const meta::Partition& was = topic->partitions[index];
    if (was.leader == leader || cluster::contains(was.isr, leader)) continue;
    if (!cluster::contains(was.elr, leader)) ++found;
  }
  return found;
}

}  // namespace

raft::Index Controller::Core::append(const std::vector<proto::Record>& records) {
  proto::RecordBatch batch;
  for (const auto& each : records) *batch.add_records() = each;
  unclean_elections_ += unclean_elections(records, *state_.head());
  const raft::Index index =
      member_->propose(std::make_shared<const std::string>(batch.SerializeAsString()));
  ++entries_;
  // What was decided fits the image that it was decided against. Before it there may be entries of
  // the quorum's own, which say nothing here.
  for (raft::Index each = state_.head()->offset() + 1; each <= index; each = each + 1) {
    const auto done = state_.appended(member_->raft().log().at(each));
    CHECK(done.has_value());
  }
  return index;
}

template <class Request, class Decide>
void Controller::Core::serve_method(const char* method, Decide decide) {
  using Reply = decltype(decide(std::declval<const Request&>()).reply);
  seams_.rpc.serve(
      method, [weak = weak_from_this(), decide](std::string request, io::RpcReply reply) mutable {
        if (auto self = weak.lock()) {
          self->template answer<Request>(request, decide, std::move(reply));
        } else {
          Reply out;
          cluster::set_error(out.mutable_error(),
                             {wire::ErrorCode::kNotController, "this controller has stopped"});
          reply(out.SerializeAsString());
        }
      });
}

template <class Request, class Decide>
void Controller::Core::answer(const std::string& bytes, Decide& decide, io::RpcReply reply) {
  using Decision = decltype(decide(std::declval<const Request&>()));
  using Reply = decltype(Decision::reply);
  if (!ready()) return reply(refused<Reply>(not_ready()));
  Request request;
  if (!request.ParseFromString(bytes)) {
    return reply(refused<Reply>({wire::ErrorCode::kInvalidRequest, "the request cannot be read"}));
  }
  Decision decision = decide(request);
  raft::Index index = member_->raft().log().last_index();
  if (!decision.records.empty()) {
    std::size_t size = 0;
    for (const auto& each : decision.records) size += each.ByteSizeLong() + 8;
    if (size > kEntryBytesMax) {
      return reply(refused<Reply>({wire::ErrorCode::kPolicyViolation,
                                   "the change is too large for one entry of the metadata log"}));
    }
    index = append(decision.records);
  }
  if constexpr (requires { decision.reply.set_offset(0); }) {
    decision.reply.set_offset(decision.records.empty() ? -1 : index.value());
  }
  if constexpr (std::is_same_v<Reply, proto::RegisterBrokerReply>) {
    if (!decision.records.empty()) decision.reply.set_broker_epoch(index.value());
  }
  // A reply without records may speak of an entry that is not committed yet: it waits too.
  // This object outlives what waits in it.
  const bool changes = !decision.records.empty();
  state_.when_committed(index, [this, changes, bytes_out = decision.reply.SerializeAsString(),
                                reply = std::move(reply)](bool committed) mutable {
    reply(committed ? std::move(bytes_out) : refused<Reply>(changes ? lost() : not_ready()));
  });
}

cluster::Refusal Controller::Core::not_ready() const {
  if (!disk_error_.empty()) {
    return {wire::ErrorCode::kKafkaStorageError,
            "the metadata log cannot be written: " + disk_error_};
  }
  return {wire::ErrorCode::kNotController, "this controller does not lead at present"};
}

// It may be committed yet, by whoever leads next: nobody may repeat it unseen.
cluster::Refusal Controller::Core::lost() const {
  if (!disk_error_.empty()) return not_ready();
  return {wire::ErrorCode::kRequestTimedOut,
          "the leadership was lost before the change was committed: it may or may not come"};
}

void Controller::Core::serve() {
  // Handlers run only while this object lives.
  serve_admin();
  serve_movement();
  serve_brokers();
  serve_quorum();
  seams_.rpc.serve_stream(
      methods::kMetadata,
      [weak = weak_from_this()](std::string request, std::shared_ptr<io::RpcSink> sink) {
        proto::MetadataRequest parsed;
        auto self = weak.lock();
        if (self && parsed.ParseFromString(request)) self->subscribe(parsed, std::move(sink));
      });
}

void Controller::Core::serve_admin() {
  serve_method<proto::CreateTopicsRequest>(methods::kCreateTopics, [this](const auto& request) {
    return cluster::create_topics(request, *state_.head(), settings_, random_);
  });
  serve_method<proto::DeleteTopicsRequest>(methods::kDeleteTopics, [this](const auto& request) {
    return cluster::delete_topics(request, *state_.head());
  });
  serve_method<proto::CreatePartitionsRequest>(
      methods::kCreatePartitions, [this](const auto& request) {
        return cluster::create_partitions(request, *state_.head(), random_);
      });
  serve_method<proto::IncrementalAlterConfigsRequest>(
      methods::kIncrementalAlterConfigs, [this](const auto& request) {
        return cluster::incremental_alter_configs(request, *state_.head(), settings_);
      });
  serve_method<proto::AlterConfigsRequest>(methods::kAlterConfigs, [this](const auto& request) {
    return cluster::alter_configs(request, *state_.head(), settings_);
  });
  serve_method<proto::UpdateFeaturesRequest>(methods::kUpdateFeatures, [this](const auto& request) {
    return cluster::update_features(request, *state_.head());
  });
}

void Controller::Core::serve_movement() {
  serve_method<proto::ElectLeadersRequest>(methods::kElectLeaders, [this](const auto& request) {
    return cluster::elect_leaders(request, *state_.head(), settings_);
  });
  serve_method<proto::AlterPartitionReassignmentsRequest>(
      methods::kAlterPartitionReassignments, [this](const auto& request) {
        return cluster::alter_partition_reassignments(request, *state_.head(), settings_);
      });
  serve_method<proto::ListPartitionReassignmentsRequest>(
      methods::kListPartitionReassignments, [this](const auto& request) {
        return cluster::list_partition_reassignments(request, *state_.head());
      });
  serve_method<proto::UnregisterBrokerRequest>(
      methods::kUnregisterBroker,
      [this](const auto& request) { return cluster::unregister_broker(request, *state_.head()); });
  serve_method<proto::DrainBrokerRequest>(methods::kDrainBroker, [this](const auto& request) {
    sizes_.advance(seams_.executor.now());
    return cluster::drain_broker(request, *state_.head(), settings_, sizes_);
  });
  serve_method<proto::ResumeBrokerRequest>(methods::kResumeBroker, [this](const auto& request) {
    return cluster::resume_broker(request, *state_.head());
  });
  serve_method<proto::MayRestartRequest>(methods::kMayRestart, [this](const auto& request) {
    return cluster::may_restart(request, *state_.head(), settings_);
  });
  serve_method<proto::ClusterHealthRequest>(methods::kClusterHealth, [this](const auto& request) {
    return cluster::cluster_health(request, *state_.head(), settings_);
  });
  serve_method<proto::DescribeTopicsRequest>(methods::kDescribeTopics, [this](const auto& request) {
    return cluster::describe_topics(request, *state_.head());
  });
  serve_method<proto::DescribeClusterRequest>(
      methods::kDescribeCluster,
      [this](const auto& request) { return cluster::describe_cluster(request, *state_.head()); });
  serve_method<proto::RebalanceRequest>(methods::kRebalance, [this](const auto& request) {
    sizes_.advance(seams_.executor.now());
    return cluster::rebalance(request, *state_.head(), settings_, sizes_);
  });
}

void Controller::Core::serve_brokers() {
  serve_method<proto::AllocateProducerIdsRequest>(
      methods::kAllocateProducerIds, [this](const auto& request) {
        return cluster::allocate_producer_ids(request, *state_.head());
      });
  serve_method<proto::RegisterBrokerRequest>(
      methods::kRegisterBroker, [this](const auto& request) { return register_broker(request); });
  serve_method<proto::HeartbeatRequest>(methods::kHeartbeat,
                                        [this](const auto& request) { return heartbeat(request); });
  serve_method<proto::AlterPartitionRequest>(methods::kAlterPartition, [this](const auto& request) {
    return cluster::alter_partition(request, *state_.head(), settings_);
  });
}

cluster::Sessions Controller::Core::sessions() const {
  return {.alive = [this](base::BrokerId id) { return liveness_.alive(id); },
          .applied = [this](base::BrokerId id) { return liveness_.applied(id); },
          .shutdown_offset = [this](base::BrokerId id) { return liveness_.shutdown_offset(id); }};
}

cluster::Decision<proto::RegisterBrokerReply> Controller::Core::register_broker(
    const proto::RegisterBrokerRequest& request) {
  auto decision = cluster::register_broker(request, *state_.head(), settings_, sessions());
  if (!decision.reply.has_error() && request.heartbeats()) {
    liveness_.registered(base::BrokerId(request.broker_id()));
  }
  return decision;
}

cluster::Decision<proto::HeartbeatReply> Controller::Core::heartbeat(
    const proto::HeartbeatRequest& request) {
  const base::BrokerId id(request.broker_id());
  auto decision = cluster::heartbeat(request, *state_.head(), settings_, sessions());
  if (decision.reply.has_error()) return decision;
  // One that owes no heartbeats had news.
  if (state_.head()->broker(id)->heartbeats) liveness_.heard(id, request.metadata_offset());
  decision.reply.set_sizes_wanted(sizes_.take(request, *state_.head(), seams_.executor.now()));
  if (request.want_shutdown() && !decision.records.empty()) {
    liveness_.shutting_down(id, member_->raft().log().last_index().value() + 1);
  }
  return decision;
}

void Controller::Core::fence(base::BrokerId broker, Liveness::End how) {
  // It cannot be decided now: it has until the next time.
  if (!ready()) return liveness_.registered(broker);
  const bool silent = how == Liveness::End::kSilent;
  const auto records = cluster::fence_broker(broker, silent, *state_.head(), settings_);
  if (records.empty()) return;
  seams_.diag.warn("controller", "broker fenced",
                   {{"broker", std::to_string(broker.value())},
                    {"why", silent ? "no heartbeat came" : "its subscription broke"},
                    {"partitions_changed", std::to_string(records.size() - 1)}});
  ++brokers_fenced_;
  append(records);
}

// A little at a time, and only when nothing of the last time is still on its way.
void Controller::Core::chores() {
  seams_.executor.timers().set(chores_, seams_.executor.now() + kChoresEvery);
  if (!ready() || state_.head() != state_.committed()) return;
  if (const auto moves = cluster::drain_step(*state_.head(), settings_); !moves.empty()) {
    append(moves);
    return;
  }
  sizes_.advance(seams_.executor.now());
  if (const auto moves = cluster::rebalance_step(*state_.head(), settings_, sizes_);
      !moves.empty()) {
    if (moves.back().has_balancing()) seams_.diag.info("controller", "the brokers are balanced");
    append(moves);
    return;
  }
  if (seams_.executor.now() < balance_at_) return;
  balance_at_ = seams_.executor.now() + config_.leader_balance_interval;
  if (const auto leaders = cluster::balance_step(*state_.head(), settings_); !leaders.empty()) {
    seams_.diag.info("controller", "preferred leaders lead again",
                     {{"partitions", std::to_string(leaders.size())}});
    append(leaders);
  }
}

void Controller::Core::subscribe(const proto::MetadataRequest& request,
                                 std::shared_ptr<io::RpcSink> sink) {
  if (stopping_) return;
  if (ready()) {
    const base::BrokerId id(request.broker_id());
    liveness_.stream_up(id);
    return publisher_.subscribe(request.have_offset(), std::move(sink), *state_.committed(),
                                member_->raft().log(), [weak = weak_from_this(), id] {
                                  auto self = weak.lock();
                                  if (!self) return;
                                  const meta::Broker* broker = self->state_.head()->broker(id);
                                  self->liveness_.stream_down(id, broker && broker->shutting_down);
                                });
  }
  // In a quorum another one may lead: whoever asks must look there.
  const bool leads = member_ && member_->running() && member_->raft().leading();
  if (!solitary() && !leads) return;
  sink->on_gone = [weak = weak_from_this(), raw = sink.get()] {
    if (auto self = weak.lock()) {
      std::erase_if(self->waiting_subscriptions_,
                    [&](const auto& each) { return each.sink.get() == raw; });
    }
  };
  waiting_subscriptions_.push_back({request, std::move(sink)});
}

void Controller::Core::serve_waiting_subscriptions() {
  if (waiting_subscriptions_.empty() || !ready()) return;
  for (auto& each : std::exchange(waiting_subscriptions_, {})) {
    subscribe(each.request, std::move(each.sink));
  }
}

}  // namespace controller
