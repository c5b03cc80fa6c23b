#include "controller/controller.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/meta/apply.h"
#include "controller/core.h"

namespace controller {
namespace {

// A full disk is tried again after this long.
constexpr base::Duration kReopenAfter = std::chrono::seconds(1);
constexpr base::Duration kChoresAfter = std::chrono::seconds(1);
constexpr base::Duration kRemindEvery = std::chrono::seconds(5);
// A leader that is silent for so long is replaced; one whose process ends, sooner (Quorum/Watch).
constexpr base::Duration kElectionTimeout = std::chrono::milliseconds(600);
// How long a stopping leader waits for its successor.
constexpr base::Duration kHandOverMax = std::chrono::seconds(1);

bool is_full(const io::IoError& error) { return error.code == ENOSPC || error.code == EDQUOT; }

}  // namespace

void Controller::Core::start(const std::string& data_directory, Done done) {
  CHECK(directory_.empty());
  directory_ = data_directory + "/metadata";
  connect_quorum();
  serve();  // until it leads it answers NOT_CONTROLLER
  start_done_ = std::move(done);
  const bool listed = std::ranges::find(config_.voters, config_.node_id) != config_.voters.end();
  if (config_.voters.empty() || (solitary() && (!listed || config_.voters.size() > 1))) {
    return std::exchange(start_done_, nullptr)(io::io_failure(
        EINVAL,
        "controller.quorum.voters: a controller that reaches no other must be the only "
        "one that is listed"));
  }
  seams_.executor.timers().set(remind_, seams_.executor.now() + kRemindEvery);
  lock_then_open();
}

void Controller::Core::connect_quorum() {
  if (!seams_.connect) return;
  transport_ =
      std::make_shared<QuorumTransport>(seams_.executor, seams_.diag, raft::NodeId(config_.node_id),
                                        seams_.connect, config_.endpoints);
}

// Not a word from a leader yet: says who would have to be there.
void Controller::Core::remind() {
  if (!start_done_) return;
  seams_.executor.timers().set(remind_, seams_.executor.now() + kRemindEvery);
  if (!member_ || !member_->running()) return;
  std::string voters;
  for (const raft::Member& each : member_->raft().members().members) {
    const auto address = transport_ ? transport_->address_of(each.id) : std::nullopt;
    voters += (voters.empty() ? "" : ", ") + std::to_string(each.id.value()) +
              (address ? " at " + address->to_string() : "");
  }
  seams_.diag.warn("quorum", "no controller leads: a majority must be there",
                   {{"term", std::to_string(member_->raft().term().value())},
                    {"members", voters.empty() ? "unknown" : voters}});
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
  raft_config.election_timeout = kElectionTimeout;
  RaftNode::Quorum quorum{transport_, {}};
  for (std::int32_t voter : config_.voters) quorum.voters.push_back(raft::NodeId(voter));
  state_ = State();
  was_leading_ = false;
  // The member is owned by this object and silent after stop().
  member_ = std::make_shared<RaftNode>(
      seams_.executor, seams_.disk, seams_.diag, std::move(raft_config), std::move(quorum),
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
  if (transport_) transport_->cluster(state_.committed()->cluster_id());
  maybe_started();
}

void Controller::Core::on_committed(const std::vector<raft::Entry>& entries) {
  if (auto done = state_.commit(entries); !done) return broken(done.error());
  publisher_.committed(entries);
  if (transport_) transport_->cluster(state_.committed()->cluster_id());
  state_.settle();
  settle_joining(false);
  if (ready() && !liveness_.leading()) {
    liveness_.lead(*state_.head());
    sizes_.clear(seams_.executor.now());
    balance_at_ = seams_.executor.now() + config_.leader_balance_interval;
    seams_.executor.timers().set(chores_, seams_.executor.now() + kChoresAfter);
  }
  serve_waiting_subscriptions();
  maybe_started();
  maybe_checkpoint();
}

void Controller::Core::on_role_changed() {
  const raft::Raft& raft = member_->raft();
  if (!raft.leading()) {
    was_leading_ = false;
    liveness_.follow();
    if (!solitary()) end_subscriptions();  // whoever leads now serves the brokers
    state_.follow();
    settle_joining(true);
    end_watches();
    if (raft.leader() != raft::kNobody) {
      seams_.diag.info("controller", "following",
                       {{"leader", std::to_string(raft.leader().value())},
                        {"term", std::to_string(raft.term().value())}});
    }
    if (stop_done_) return seams_.executor.post([self = shared_from_this()] { self->stop_now(); });
    return maybe_started();
  }
  if (std::exchange(was_leading_, true)) return;
  disk_error_.clear();
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
  disk_error_ = error.what;
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
  end_watches();
  liveness_.follow();
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

void Controller::Core::end_subscriptions() {
  publisher_.close();
  liveness_.streams_closed();
  for (auto& each : waiting_subscriptions_) each.sink->on_gone = nullptr;
  waiting_subscriptions_.clear();
}

void Controller::Core::maybe_started() {
  const bool follows = member_ && member_->running() && !member_->raft().leading() &&
                       member_->raft().leader() != raft::kNobody;
  if (!start_done_ || state_.committed()->cluster_id().is_zero()) return;
  if (!ready() && !follows) return;
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

void Controller::Core::stop(std::move_only_function<void()> done) {
  stop_done_ = std::move(done);
  if (!solitary() && ready() && member_->raft().members().voters() > 1) {
    seams_.diag.info("controller", "handing the leadership over");
    seams_.executor.timers().set(hand_over_, seams_.executor.now() + kHandOverMax);
    return member_->transfer();
  }
  stop_now();
}

void Controller::Core::stop_now() {
  if (std::exchange(stopping_, true)) return;
  hand_over_.cancel();
  reopen_.cancel();
  remind_.cancel();
  if (start_done_) {
    std::exchange(start_done_, nullptr)(io::io_failure(ECANCELED, "the controller was stopped"));
  }
  liveness_.follow();
  state_.follow();
  settle_joining(true);
  end_subscriptions();
  end_watches();
  auto finish = [self = shared_from_this(), done = std::move(stop_done_)]() mutable {
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
  out.brokers_fenced = brokers_fenced_;
  out.unclean_elections = unclean_elections_;
  out.subscribers = publisher_.subscribers();
  out.failed = failed_;
  out.committed = state_.committed()->offset().value();
  out.syncs = earlier_.syncs;
  out.snapshots = earlier_.checkpoints;
  out.log_bytes = earlier_.log_bytes;
  if (member_ && member_->running()) {
    out.leading = member_->raft().leading();
    out.leader = member_->raft().leader().value();
    out.term = member_->raft().term().value();
    out.voters = static_cast<std::int64_t>(member_->raft().members().voters());
    out.syncs += member_->stats().syncs;
    out.snapshots += member_->stats().checkpoints;
    out.log_bytes = member_->stats().log_bytes;
  }
  return out;
}

std::optional<ClusterCounts> Controller::Core::cluster_counts() const {
  if (!ready()) return std::nullopt;
  const meta::Image& image = *state_.committed();
  const auto health = cluster::cluster_health({}, image, settings_).reply;
  const auto of = [&](proto::FindingKind kind) {
    std::int64_t count = 0;
    for (const auto& finding : health.findings()) {
      if (finding.kind() == kind) count += finding.count();
    }
    return count;
  };
  return ClusterCounts{
      .partitions_offline = of(proto::FINDING_KIND_OFFLINE),
      .partitions_under_min_isr = of(proto::FINDING_KIND_UNDER_MIN_ISR),
      .partitions_under_replicated = of(proto::FINDING_KIND_UNDER_REPLICATED),
      .partitions_reassigning = of(proto::FINDING_KIND_REASSIGNING),
      .partitions_leader_not_preferred = of(proto::FINDING_KIND_LEADER_NOT_PREFERRED),
      .partitions = image.partition_count(),
      .topics = static_cast<std::int64_t>(image.topics().size()),
      .brokers_live = health.brokers_live(),
      .brokers_fenced = of(proto::FINDING_KIND_BROKER_FENCED),
      .brokers_draining = of(proto::FINDING_KIND_BROKER_DRAINING),
  };
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
std::optional<ClusterCounts> Controller::cluster_counts() const { return core_->cluster_counts(); }

}  // namespace controller
