#include "controller/controller.h"

#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/meta/apply.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/verdict.h"
#include "controller/node/methods.h"
#include "controller/node/publisher.h"
#include "controller/node/raft_node.h"
#include "controller/node/state.h"
#include "controller/node/wal_format.h"

namespace controller {
namespace {

// A full disk is tried again after this long.
constexpr base::Duration kReopenAfter = std::chrono::seconds(1);

bool is_full(const io::IoError& error) { return error.code == ENOSPC || error.code == EDQUOT; }

template <class Reply>
std::string refused(wire::ErrorCode code, const std::string& message) {
  Reply reply;
  cluster::set_error(reply.mutable_error(), {code, message});
  return reply.SerializeAsString();
}

}  // namespace

class Controller::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Seams seams, Config config)
      : seams_(seams),
        config_(std::move(config)),
        random_(seams.random.split("decide")),
        publisher_(seams.diag) {
    settings_.default_partitions = config_.default_partitions;
    settings_.default_replication_factor = config_.default_replication_factor;
    settings_.config_rules = config_.config_rules;
    reopen_.on_fire([this] { open(); });
  }

  void start(const std::string& data_directory, Done done);
  void stop(std::move_only_function<void()> done);
  meta::ImagePtr image() const { return state_.committed(); }
  Stats stats() const;

 private:
  struct Subscription {
    std::int64_t have = -1;
    std::shared_ptr<io::RpcSink> sink;
  };

  void lock_then_open();
  void open();
  void opened(const io::IoResult<void>& result);
  void close_member();

  void on_committed(const std::vector<raft::Entry>& entries);
  void on_installed(const raft::Snapshot& snapshot);
  void on_role_changed();
  void on_failed(const io::IoError& error);
  void broken(const std::string& why);
  void maybe_started();
  void maybe_checkpoint();

  // Leads, and everything committed before is known.
  bool ready() const { return member_ && member_->running() && member_->raft().ready(); }
  raft::Index append(const std::vector<proto::Record>& records);

  void serve();
  void subscribe(std::int64_t have, std::shared_ptr<io::RpcSink> sink);
  void serve_waiting_subscriptions();
  template <class Request, class Decide>
  void serve_method(const char* method, Decide decide);
  template <class Request, class Decide>
  void answer(const std::string& bytes, Decide& decide, io::RpcReply reply);

  Seams seams_;
  Config config_;
  base::Random random_;
  cluster::Settings settings_;
  std::string directory_;
  std::shared_ptr<io::DirectoryLock> lock_;
  State state_;
  Publisher publisher_;
  std::shared_ptr<RaftNode> member_;
  std::vector<Subscription> waiting_subscriptions_;
  Done start_done_;
  std::uint64_t lives_ = 0;
  bool was_leading_ = false;
  bool stopping_ = false;
  std::move_only_function<void()> stop_done_;
  bool failed_ = false;
  std::uint64_t entries_ = 0;
  RaftNode::Stats earlier_;  // of members closed since the start
  base::Timer reopen_;
};

void Controller::Core::start(const std::string& data_directory, Done done) {
  CHECK(directory_.empty());
  directory_ = data_directory + "/metadata";
  serve();  // until it leads it answers NOT_CONTROLLER
  start_done_ = std::move(done);
  if (config_.voters != std::vector<std::int32_t>{config_.node_id}) {
    return std::exchange(start_done_, nullptr)(
        io::io_failure(ENOTSUP,
                       "a controller stands alone in this release: its one voter must be "
                       "itself"));
  }
  lock_then_open();
}

void Controller::Core::lock_then_open() {
  auto result = std::make_shared<io::IoResult<void>>();
  auto lock = std::make_shared<std::shared_ptr<io::DirectoryLock>>();
  seams_.executor.blocking(
      [result, lock, &disk = seams_.disk, directory = directory_] {
        if (*result = disk.make_directories(directory); !*result) return;
        auto locked = disk.lock(directory);
        if (locked) {
          *lock = std::move(*locked);
        } else {
          *result = std::unexpected(locked.error());
        }
      },
      [self = shared_from_this(), result, lock] {
        self->lock_ = std::move(*lock);
        if (!*result) return self->opened(*result);
        self->open();
      });
}

void Controller::Core::open() {
  if (stopping_) return;
  raft::Config raft_config;
  raft_config.self = raft::NodeId(config_.node_id);
  for (std::int32_t voter : config_.voters) raft_config.voters.push_back(raft::NodeId(voter));
  state_ = State();
  was_leading_ = false;
  // The member is owned by this object and silent after stop().
  member_ = std::make_shared<RaftNode>(
      seams_.executor, seams_.disk, seams_.diag, std::move(raft_config),
      seams_.random.split("raft " + std::to_string(++lives_)),
      RaftNode::Events{
          .committed = [this](const auto& entries) { on_committed(entries); },
          .installed = [this](const auto& snapshot) { on_installed(snapshot); },
          .role_changed = [this] { on_role_changed(); },
          .failed = [this](const auto& error) { on_failed(error); },
      });
  member_->start(directory_,
                 [self = shared_from_this()](io::IoResult<void> result) { self->opened(result); });
}

void Controller::Core::opened(const io::IoResult<void>& result) {
  if (stopping_) return;
  if (!result) {
    if (start_done_) return std::exchange(start_done_, nullptr)(result);
    return on_failed(result.error());
  }
}

void Controller::Core::on_installed(const raft::Snapshot& snapshot) {
  if (auto done = state_.install(snapshot); !done) return broken(done.error());
  publisher_.jumped(*state_.committed());
}

void Controller::Core::on_committed(const std::vector<raft::Entry>& entries) {
  if (auto done = state_.commit(entries); !done) return broken(done.error());
  publisher_.committed(entries);
  state_.settle();
  serve_waiting_subscriptions();
  maybe_started();
  maybe_checkpoint();
}

void Controller::Core::on_role_changed() {
  const raft::Raft& raft = member_->raft();
  if (!raft.leading()) {
    was_leading_ = false;
    return state_.follow();
  }
  if (std::exchange(was_leading_, true)) return;
  seams_.diag.info("controller", "leading",
                   {{"term", std::to_string(raft.term().value())},
                    {"log_end", std::to_string(raft.log().last_index().value())}});
  if (auto done = state_.lead(raft.log()); !done) return broken(done.error());
  // A new cluster: its first records ride on the same write as the term's first entry.
  if (state_.head()->cluster_id().is_zero()) {
    base::Uuid id = config_.cluster_id;
    if (id.is_zero()) id = base::Uuid::random(random_);
    append(cluster::bootstrap(id));
  }
}

// The log holds what this release cannot apply: going on would diverge from everybody else.
void Controller::Core::broken(const std::string& why) {
  seams_.diag.error("controller", "the metadata log cannot be applied", {{"error", why}});
  failed_ = true;
  close_member();
  if (start_done_) {
    std::exchange(start_done_, nullptr)(io::io_failure(EBADMSG, directory_ + ": " + why));
  }
}

void Controller::Core::on_failed(const io::IoError& error) {
  close_member();
  if (is_full(error)) {
    // Nothing that was acknowledged is touched: the log is opened again and its torn end cut.
    seams_.diag.warn("controller", "the disk is full: topics and configs cannot change",
                     {{"error", error.what}});
    seams_.executor.timers().set(reopen_, seams_.executor.now() + kReopenAfter);
    return;
  }
  failed_ = true;
  if (start_done_) std::exchange(start_done_, nullptr)(std::unexpected(error));
}

void Controller::Core::close_member() {
  state_.follow();
  if (!member_) return;
  earlier_.syncs += member_->stats().syncs;
  earlier_.checkpoints += member_->stats().checkpoints;
  earlier_.log_bytes = member_->stats().log_bytes;
  // It may be on the stack: let it go at the end of the turn.
  member_->stop([] {});
  seams_.executor.post([member = std::move(member_)] {});
  member_ = nullptr;
}

void Controller::Core::maybe_started() {
  if (!start_done_ || !ready() || state_.committed()->cluster_id().is_zero()) return;
  const base::Uuid id = state_.committed()->cluster_id();
  io::IoResult<void> result;
  if (!config_.cluster_id.is_zero() && config_.cluster_id != id) {
    result = io::io_failure(EINVAL, directory_ + " belongs to cluster " + id.to_string() +
                                        ", not to " + config_.cluster_id.to_string());
  }
  std::exchange(start_done_, nullptr)(std::move(result));
}

void Controller::Core::maybe_checkpoint() {
  if (!member_ || member_->checkpointing()) return;
  if (member_->stats().log_bytes < config_.snapshot_after_bytes) return;
  const meta::ImagePtr image = state_.committed();
  if (image->offset() <= member_->raft().log().snapshot().index) return;
  member_->checkpoint(image->offset(),
                      [image] { return meta::to_snapshot(*image).SerializeAsString(); });
}

raft::Index Controller::Core::append(const std::vector<proto::Record>& records) {
  proto::RecordBatch batch;
  for (const auto& each : records) *batch.add_records() = each;
  const raft::Index index =
      member_->propose(std::make_shared<const std::string>(batch.SerializeAsString()));
  ++entries_;
  // What was decided fits the image that it was decided against.
  const auto done = state_.appended(member_->raft().log().at(index));
  CHECK(done.has_value());
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
          reply(refused<Reply>(wire::ErrorCode::kNotController, "this controller has stopped"));
        }
      });
}

template <class Request, class Decide>
void Controller::Core::answer(const std::string& bytes, Decide& decide, io::RpcReply reply) {
  using Decision = decltype(decide(std::declval<const Request&>()));
  using Reply = decltype(Decision::reply);
  if (!ready()) {
    return reply(refused<Reply>(wire::ErrorCode::kNotController,
                                failed_ ? "the metadata disk of this controller failed"
                                        : "this controller does not lead at present"));
  }
  Request request;
  if (!request.ParseFromString(bytes)) {
    return reply(refused<Reply>(wire::ErrorCode::kInvalidRequest, "the request cannot be read"));
  }
  Decision decision = decide(request);
  raft::Index index = member_->raft().log().last_index();
  if (!decision.records.empty()) {
    std::size_t size = 0;
    for (const auto& each : decision.records) size += each.ByteSizeLong() + 8;
    if (size > wal::kEntryBytesMax) {
      return reply(refused<Reply>(wire::ErrorCode::kPolicyViolation,
                                  "the change is too large for one entry of the metadata log"));
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
  state_.when_committed(index, [bytes_out = decision.reply.SerializeAsString(),
                                reply = std::move(reply)](bool committed) mutable {
    reply(committed ? std::move(bytes_out)
                    : refused<Reply>(wire::ErrorCode::kNotController,
                                     "this controller stopped leading before the change was "
                                     "known to be kept"));
  });
}

void Controller::Core::serve() {
  // Handlers run only while this object lives.
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
  serve_method<proto::AllocateProducerIdsRequest>(
      methods::kAllocateProducerIds, [this](const auto& request) {
        return cluster::allocate_producer_ids(request, *state_.head());
      });
  serve_method<proto::RegisterBrokerRequest>(methods::kRegisterBroker, [this](const auto& request) {
    return cluster::register_broker(request, *state_.head());
  });
  seams_.rpc.serve_stream(
      methods::kMetadata,
      [weak = weak_from_this()](std::string request, std::shared_ptr<io::RpcSink> sink) {
        proto::MetadataRequest parsed;
        auto self = weak.lock();
        if (self && parsed.ParseFromString(request)) {
          self->subscribe(parsed.have_offset(), std::move(sink));
        }
      });
}

void Controller::Core::subscribe(std::int64_t have, std::shared_ptr<io::RpcSink> sink) {
  if (stopping_) return;
  if (ready()) {
    return publisher_.subscribe(have, std::move(sink), *state_.committed(), member_->raft().log());
  }
  sink->on_gone = [weak = weak_from_this(), raw = sink.get()] {
    if (auto self = weak.lock()) {
      std::erase_if(self->waiting_subscriptions_,
                    [&](const auto& each) { return each.sink.get() == raw; });
    }
  };
  waiting_subscriptions_.push_back({have, std::move(sink)});
}

void Controller::Core::serve_waiting_subscriptions() {
  if (waiting_subscriptions_.empty() || !ready()) return;
  for (auto& each : std::exchange(waiting_subscriptions_, {})) {
    subscribe(each.have, std::move(each.sink));
  }
}

void Controller::Core::stop(std::move_only_function<void()> done) {
  stopping_ = true;
  reopen_.cancel();
  if (start_done_) {
    std::exchange(start_done_, nullptr)(io::io_failure(ECANCELED, "the controller was stopped"));
  }
  state_.follow();
  publisher_.close();
  for (auto& each : waiting_subscriptions_) each.sink->on_gone = nullptr;
  waiting_subscriptions_.clear();
  auto finish = [self = shared_from_this(), done = std::move(done)]() mutable {
    self->member_ = nullptr;
    self->lock_ = nullptr;
    done();
  };
  if (!member_) return finish();
  member_->stop(std::move(finish));
}

Stats Controller::Core::stats() const {
  Stats out;
  out.entries = entries_;
  out.subscribers = publisher_.subscribers();
  out.failed = failed_;
  out.committed = state_.committed()->offset().value();
  out.syncs = earlier_.syncs;
  out.snapshots = earlier_.checkpoints;
  out.log_bytes = earlier_.log_bytes;
  if (member_ && member_->running()) {
    out.leading = member_->raft().leading();
    out.term = member_->raft().term().value();
    out.syncs += member_->stats().syncs;
    out.snapshots += member_->stats().checkpoints;
    out.log_bytes = member_->stats().log_bytes;
  }
  return out;
}

Controller::Controller(Seams seams, Config config)
    : core_(std::make_shared<Core>(seams, std::move(config))) {}
Controller::~Controller() = default;
void Controller::start(const std::string& data_directory, Done done) {
  core_->start(data_directory, std::move(done));
}
void Controller::stop(std::move_only_function<void()> done) { core_->stop(std::move(done)); }
meta::ImagePtr Controller::image() const { return core_->image(); }
Stats Controller::stats() const { return core_->stats(); }

}  // namespace controller
