#include "controller/node/raft_node.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/check.h"

namespace controller {

RaftNode::RaftNode(io::Executor& executor, io::Disk& disk, base::Diag& diag, raft::Config config,
                   Quorum quorum, base::Random random, Events events)
    : executor_(executor),
      disk_(disk),
      diag_(diag),
      config_(std::move(config)),
      quorum_(std::move(quorum)),
      random_(random),
      events_(std::move(events)) {}

void RaftNode::start(const std::string& directory,
                     std::move_only_function<void(io::IoResult<void>)> done) {
  timer_.on_fire([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->step(raft::Tick{});
  });
  auto result = std::make_shared<io::IoResult<RaftStore::Opened>>();
  writing_ = true;  // the disk is busy
  base::Random names = random_.split("directory");
  executor_.blocking(
      [result, directory, &disk = disk_, name = base::Uuid::random(names)] {
        *result = RaftStore::open(disk, directory, name);
      },
      [self = shared_from_this(), result, done = std::move(done)]() mutable {
        self->writing_ = false;
        if (self->stopped_) {
          done(io::io_failure(ECANCELED, "stopped"));
          if (self->stop_done_) std::exchange(self->stop_done_, nullptr)();
          return;
        }
        if (!*result) return done(std::unexpected(result->error()));
        self->opened(std::move(**result));
        done({});
        if (self->running()) self->begin();
      });
}

void RaftNode::opened(RaftStore::Opened opened) {
  store_ = std::move(opened.store);
  stats_.log_bytes = store_->log_bytes();
  raft::Recovered& recovered = opened.recovered;
  diag_.info("raft", "metadata log recovered",
             {{"term", std::to_string(recovered.hard_state.term.value())},
              {"snapshot", std::to_string(recovered.snapshot.index.value())},
              {"entries", std::to_string(recovered.entries.size())},
              {"bytes_cut", std::to_string(opened.bytes_cut)}});
  if (recovered.snapshot.data) events_.installed(recovered.snapshot);
  // Alone, nobody will ever be sent the snapshot.
  if (!quorum_.transport) recovered.snapshot.data = nullptr;
  hard_state_ = recovered.hard_state;
  config_.directory = opened.directory;
  raft_.emplace(config_, std::move(recovered), random_, executor_.now());
}

void RaftNode::begin() {
  if (quorum_.transport) {
    quorum_.transport->receive([weak = weak_from_this()](raft::Message message) {
      if (const auto self = weak.lock()) self->step(raft::Receive{std::move(message)});
    });
  }
  step(raft::Start{});
  if (!running() || raft_->log().members()) return;
  const raft::Member self{config_.self, config_.directory, true, {}, 0};
  std::vector<raft::NodeId> others = quorum_.voters;
  std::erase(others, config_.self);
  // A log without members was written by a release that knew quorums of one only.
  if (raft_->log().last_index() > raft::Index(0) || others.empty()) {
    return found(raft::Membership{{self}});
  }
  if (quorum_.voters.size() > others.size() && config_.self < *std::ranges::min_element(others)) {
    founder_ = std::make_shared<QuorumFounder>(
        executor_, diag_, quorum_.transport, self, std::move(others),
        [this](std::optional<raft::Membership> members) { found(std::move(members)); });
    return founder_->start();
  }
  diag_.info("quorum", "the log is empty: waiting to be taken in",
             {{"directory", config_.directory.to_string()}});
}

void RaftNode::found(std::optional<raft::Membership> members) {
  if (!running() || raft_->log().members()) return;
  if (!members) {
    // Its own part of the cluster's log is gone: it votes again when the leader has let it.
    diag_.warn("quorum", "the disk is empty, but the cluster exists: waiting to be taken in",
               {{"directory", config_.directory.to_string()}});
    return;
  }
  if (members->members.size() > 1) {
    if (raft_->log().last_index() > raft::Index(0)) return;
    diag_.info("quorum", "founding a cluster",
               {{"controllers", std::to_string(members->members.size())}});
  }
  step(raft::Found{std::move(*members)});
}

QuorumTransport::Probe RaftNode::probe() const {
  const auto& log = raft_->log();
  return {config_.directory, log.last_index() == raft::Index(0) && !log.members()};
}

void RaftNode::change_members(raft::Membership members) {
  CHECK(running());
  step(raft::ChangeMembers{std::move(members)});
}

void RaftNode::transfer() { step(raft::Transfer{}); }

raft::Index RaftNode::propose(raft::Data data) {
  CHECK(running());
  CHECK(raft_->leading());
  step(raft::Propose{{std::move(data)}});
  return raft_->log().last_index();
}

void RaftNode::checkpoint(raft::Index index, std::function<std::string()> state) {
  if (!running() || checkpointing_ || next_.snapshot) return;
  const auto term = raft_->log().term_at(index);
  CHECK(term.has_value());
  checkpointing_ = true;
  next_.snapshot = raft::Snapshot{index, *term, nullptr, raft_->log().members_at(index)};
  next_.state = std::move(state);
  schedule_write();
}

void RaftNode::step(const raft::Input& input) {
  if (!running()) return;
  raft::Output out;
  raft_->step(input, executor_.now(), out);
  carry_out(out);
  arm();
}

void RaftNode::carry_out(raft::Output& out) {
  if (out.hard_state) hard_state_ = *(next_.hard_state = out.hard_state);
  if (out.install) {
    next_.snapshot = out.install;
    next_.state = nullptr;
    next_.entries.clear();
    checkpointing_ = true;
  }
  next_.entries.insert(next_.entries.end(), out.append.begin(), out.append.end());
  if (out.has_writes()) {
    next_.write_id = out.write_id;
    schedule_write();
  }
  written_ = std::max(written_, out.write_id);
  if (quorum_.transport && raft_->log().members() != members_) {
    members_ = raft_->log().members();
    if (members_) quorum_.transport->members(*members_);
  }
  for (const raft::Message& each : out.send) send(each);
  for (raft::Message& each : out.send_after_sync) parked_.push_back({written_, std::move(each)});
  release();
  // Who led hears first that it does not: what follows was decided by somebody else.
  if (out.role_changed) watch_leader();
  const bool lost = out.role_changed && !raft_->leading();
  if (lost) events_.role_changed();
  if (out.install && running()) events_.installed(*out.install);
  if (!out.committed.empty() && running()) events_.committed(out.committed);
  if (out.role_changed && !lost && running()) events_.role_changed();
}

void RaftNode::watch_leader() {
  if (!quorum_.transport) return;
  const raft::NodeId leader =
      raft_->role() == raft::Role::kFollower ? raft_->leader() : raft::kNobody;
  if (std::exchange(watched_, leader) == leader) return;
  quorum_.transport->watch(leader, [weak = weak_from_this(), leader] {
    if (const auto self = weak.lock()) self->step(raft::LeaderGone{leader});
  });
}

void RaftNode::send(const raft::Message& message) {
  if (quorum_.transport) quorum_.transport->send(message);
}

void RaftNode::release() {
  while (!parked_.empty() && parked_.front().write_id <= durable_) {
    send(parked_.front().message);
    parked_.pop_front();
  }
}

// At the end of the turn, so that everything proposed in it shares one sync.
void RaftNode::schedule_write() {
  if (writing_ || write_scheduled_) return;
  write_scheduled_ = true;
  executor_.post([self = shared_from_this()] {
    self->write_scheduled_ = false;
    if (self->running()) self->write();
  });
}

void RaftNode::write() {
  CHECK(!writing_);
  auto job = std::make_shared<Job>(std::exchange(next_, Job{}));
  if (job->snapshot) {
    // The new segment holds all entries behind the snapshot, those of this turn among them.
    job->hard_state_now = hard_state_;
    job->entries =
        raft_->log().slice(job->snapshot->index + 1, std::numeric_limits<std::size_t>::max());
  }
  writing_ = true;
  executor_.blocking(
      [job, store = store_.get()] {
        if (job->snapshot) {
          if (job->state) {
            job->snapshot->data = std::make_shared<const std::string>(job->state());
          }
          job->result = store->checkpoint(*job->snapshot, job->hard_state_now, job->entries);
        } else {
          job->result = store->write(job->hard_state, job->entries);
          if (job->result) job->result = store->sync();
        }
        job->log_bytes = store->log_bytes();
      },
      [self = shared_from_this(), job] { self->wrote(job); });
}

void RaftNode::wrote(const std::shared_ptr<Job>& job) {
  writing_ = false;
  if (stopped_) {
    if (stop_done_) std::exchange(stop_done_, nullptr)();
    return;
  }
  if (!job->result) return fail(job->result.error());
  ++stats_.syncs;
  stats_.log_bytes = job->log_bytes;
  if (job->snapshot) {
    ++stats_.checkpoints;
    checkpointing_ = false;
    if (job->state) {
      if (!quorum_.transport) job->snapshot->data = nullptr;
      step(raft::Compact{*job->snapshot});
    }
  }
  if (job->write_id > 0) {
    durable_ = job->write_id;
    release();
    step(raft::Synced{job->write_id});
  }
  if (running() && (next_.write_id > 0 || next_.snapshot)) schedule_write();
}

void RaftNode::fail(const io::IoError& error) {
  stopped_ = true;
  timer_.cancel();
  founder_ = nullptr;
  if (quorum_.transport) quorum_.transport->watch(raft::kNobody, nullptr);
  diag_.error("raft", "the metadata log's disk failed", {{"error", error.what}});
  events_.failed(error);
}

void RaftNode::stop(std::move_only_function<void()> done) {
  stopped_ = true;
  timer_.cancel();
  founder_ = nullptr;
  if (quorum_.transport) quorum_.transport->watch(raft::kNobody, nullptr);
  if (!writing_) return done();
  stop_done_ = std::move(done);
}

void RaftNode::arm() {
  if (!running()) return;
  const base::Instant wake = raft_->wake_at();
  if (wake == base::Instant::max()) return timer_.cancel();
  if (!timer_.is_set() || timer_.deadline() != wake) executor_.timers().set(timer_, wake);
}

}  // namespace controller
