// The controller's view of the metadata: the committed image, and the image at the end of the log,
// which decisions are made against. Replies wait here until the log end that they speak of is
// committed: what a client is told never depends on an entry that could still be lost. One
// executor.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "common/meta/image.h"
#include "controller/raft/raft.h"

namespace controller {

class State {
 public:
  // Called once: true when committed, false when this node cannot tell any more.
  using Settle = std::move_only_function<void(bool committed)>;

  const meta::ImagePtr& committed() const { return committed_; }
  const meta::ImagePtr& head() const { return head_; }

  // A snapshot takes the place of all.
  std::expected<void, std::string> install(const raft::Snapshot& snapshot);
  // This node leads: the head takes in what the log holds behind the committed image.
  std::expected<void, std::string> lead(const raft::RaftLog& log);
  // It does not lead any more: the head falls back, and what waits is settled with false.
  void follow();
  // An own entry was appended.
  std::expected<void, std::string> appended(const raft::Entry& entry);
  // Moves the committed image on. Call settle() afterwards, once others have been told.
  std::expected<void, std::string> commit(const std::vector<raft::Entry>& entries);
  void settle();

  // Waits for the entry at `index` (at once when it is committed).
  void when_committed(raft::Index index, Settle settle);

 private:
  struct Waiting {
    raft::Index index;
    Settle settle;
  };
  meta::ImagePtr committed_ = std::make_shared<const meta::Image>();
  meta::ImagePtr head_ = committed_;
  std::deque<meta::ImagePtr> ahead_;  // images of the entries behind the committed one; last = head
  std::deque<Waiting> waiting_;       // by index
};

}  // namespace controller
