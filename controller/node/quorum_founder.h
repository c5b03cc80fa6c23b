// How a quorum begins. Every listed controller starts with an empty disk, and so does one whose
// disk was wiped later: only all of them together can tell that there is no cluster yet. So the
// lowest id of the list asks every other; when all have answered that their logs are empty, it
// founds the log with their disks' names. If one is not empty there is a cluster, and the asker
// waits to be taken in by its leader. Until all have answered it asks on, and says who is missing.
// One executor.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/base/diag.h"
#include "common/base/timer_wheel.h"
#include "controller/node/quorum_transport.h"
#include "controller/raft/protocol.h"

namespace controller {

class QuorumFounder : public std::enable_shared_from_this<QuorumFounder> {
 public:
  // The first members, or nothing: there is a cluster already. Called once, unless destroyed.
  using Done = std::function<void(std::optional<raft::Membership>)>;

  QuorumFounder(io::Executor& executor, base::Diag& diag,
                std::shared_ptr<QuorumTransport> transport, raft::Member self,
                std::vector<raft::NodeId> others, Done done);
  void start();

 private:
  void ask();
  void answered(raft::NodeId id, const std::optional<QuorumTransport::Probe>& probe);
  void finish(std::optional<raft::Membership> members);

  io::Executor& executor_;
  base::Diag& diag_;
  const std::shared_ptr<QuorumTransport> transport_;
  raft::Membership members_;           // this one and who has answered
  std::vector<raft::NodeId> missing_;  // have not answered yet
  Done done_;
  std::size_t open_ = 0;  // questions on their way
  base::Instant told_;    // when who is missing was last written
  base::Timer again_;
};

}  // namespace controller
