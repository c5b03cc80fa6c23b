#include "controller/node/raft_node.h"

#include <limits>
#include <utility>

#include "common/base/check.h"

namespace controller {

RaftNode::RaftNode(io::Executor& executor, io::Disk& disk, base::Diag& diag, raft::Config config,
                   base::Random random, Events events)
    : executor_(executor),
      disk_(disk),
      diag_(diag),
      config_(std::move(config)),
      random_(random),
      events_(std::move(events)) {}

void RaftNode::start(const std::string& directory,
                     std::move_only_function<void(io::IoResult<void>)> done) {
  timer_.on_fire([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->step(raft::Tick{});
  });
  auto result = std::make_shared<io::IoResult<RaftStore::Opened>>();
  writing_ = true;  // the disk is busy
  executor_.blocking(
      [result, directory, &disk = disk_] { *result = RaftStore::open(disk, directory); },
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
        if (self->running()) self->step(raft::Start{});
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
  if (config_.voters.size() == 1) recovered.snapshot.data = nullptr;
  hard_state_ = recovered.hard_state;
  raft_.emplace(config_, std::move(recovered), random_, executor_.now());
}

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
  next_.snapshot = raft::Snapshot{index, *term, nullptr};
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
  // A quorum of one has nobody to write to.
  CHECK(out.send.empty());
  CHECK(out.send_after_sync.empty());
  if (out.install) events_.installed(*out.install);
  if (!out.committed.empty()) events_.committed(out.committed);
  if (out.role_changed && running()) events_.role_changed();
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
      if (config_.voters.size() == 1) job->snapshot->data = nullptr;
      step(raft::Compact{*job->snapshot});
    }
  }
  if (job->write_id > 0) step(raft::Synced{job->write_id});
  if (running() && (next_.write_id > 0 || next_.snapshot)) schedule_write();
}

void RaftNode::fail(const io::IoError& error) {
  stopped_ = true;
  timer_.cancel();
  diag_.error("raft", "the metadata log's disk failed", {{"error", error.what}});
  events_.failed(error);
}

void RaftNode::stop(std::move_only_function<void()> done) {
  stopped_ = true;
  timer_.cancel();
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
