#include "controller/node/state.h"

#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "common/meta/apply.h"

namespace controller {
namespace {

std::expected<meta::ImagePtr, std::string> next(const meta::ImagePtr& image,
                                                const raft::Entry& entry) {
  auto step = meta::apply_entry(image, entry.index, entry.term.value(), *entry.data);
  if (!step) return std::unexpected(std::move(step.error()));
  return std::move(step->image);
}

}  // namespace

std::expected<void, std::string> State::install(const raft::Snapshot& snapshot) {
  proto::Snapshot parsed;
  if (!parsed.ParseFromString(*snapshot.data)) {
    return std::unexpected("the snapshot at " + std::to_string(snapshot.index.value()) +
                           " cannot be read");
  }
  auto image = meta::from_snapshot(parsed);
  if (!image) return std::unexpected(std::move(image.error()));
  committed_ = head_ = std::move(*image);
  ahead_.clear();
  return {};
}

std::expected<void, std::string> State::lead(const raft::RaftLog& log) {
  ahead_.clear();
  head_ = committed_;
  const raft::Index first = std::max(committed_->offset() + 1, log.first_index());
  for (raft::Index index = first; index <= log.last_index(); index = index + 1) {
    if (auto done = appended(log.at(index)); !done) return done;
  }
  return {};
}

void State::follow() {
  ahead_.clear();
  head_ = committed_;
  auto waiting = std::exchange(waiting_, {});
  for (Waiting& each : waiting) each.settle(false);
}

std::expected<void, std::string> State::appended(const raft::Entry& entry) {
  auto image = next(head_, entry);
  if (!image) return std::unexpected(std::move(image.error()));
  head_ = std::move(*image);
  ahead_.push_back(head_);
  return {};
}

std::expected<void, std::string> State::commit(const std::vector<raft::Entry>& entries) {
  for (const raft::Entry& entry : entries) {
    if (!ahead_.empty()) {
      CHECK(ahead_.front()->offset() == entry.index);
      CHECK(ahead_.front()->epoch() == entry.term.value());
      committed_ = std::move(ahead_.front());
      ahead_.pop_front();
      continue;
    }
    auto image = next(committed_, entry);
    if (!image) return std::unexpected(std::move(image.error()));
    committed_ = head_ = std::move(*image);
  }
  return {};
}

void State::settle() {
  while (!waiting_.empty() && waiting_.front().index <= committed_->offset()) {
    Settle settle = std::move(waiting_.front().settle);
    waiting_.pop_front();
    settle(true);
  }
}

void State::when_committed(raft::Index index, Settle settle) {
  if (index <= committed_->offset() || MUTANT("controller-answers-before-commit")) {
    return settle(true);
  }
  CHECK(waiting_.empty() || waiting_.back().index <= index);
  waiting_.push_back({index, std::move(settle)});
}

}  // namespace controller
