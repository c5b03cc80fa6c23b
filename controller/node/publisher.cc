#include "controller/node/publisher.h"

#include <string>
#include <utility>

#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace controller {
namespace {

// Of one message; a larger entry travels alone.
constexpr std::size_t kMessageBytes = 1 << 20;

// Calls `send` with messages that carry the entries in order.
template <class Send>
void pack(const std::vector<raft::Entry>& entries, Send send) {
  proto::MetadataMessage message;
  std::size_t bytes = 0;
  for (const raft::Entry& each : entries) {
    if (bytes > 0 && bytes + each.data->size() > kMessageBytes) {
      send(message.SerializeAsString());
      message.Clear();
      bytes = 0;
    }
    auto* entry = message.add_entries();
    entry->set_offset(each.index.value());
    entry->set_epoch(each.term.value());
    entry->set_batch(*each.data);
    bytes += each.data->size() + 16;
  }
  if (message.entries_size() > 0) send(message.SerializeAsString());
}

std::string pack(const meta::Image& image) {
  proto::MetadataMessage message;
  *message.mutable_snapshot() = meta::to_snapshot(image);
  return message.SerializeAsString();
}

}  // namespace

void Publisher::subscribe(std::int64_t have, std::shared_ptr<io::RpcSink> sink,
                          const meta::Image& image, const raft::RaftLog& log,
                          std::function<void()> gone) {
  const std::uint64_t id = next_id_++;
  sink->on_gone = [this, id, gone = std::move(gone)] {
    const auto keep = gone;  // this call may be all that holds it
    sinks_.erase(id);
    if (keep) keep();
  };
  sinks_.emplace(id, sink);  // before the first send, which may find it gone
  const raft::Index known(have);
  if (known > image.offset()) {
    diag_.error(
        "publisher", "a broker has metadata that this controller lost: sending ours",
        {{"theirs", std::to_string(have)}, {"ours", std::to_string(image.offset().value())}});
  }
  if (known < log.snapshot().index || known < raft::Index(0) || known > image.offset()) {
    sink->send(pack(image));
  } else {
    std::vector<raft::Entry> missing;
    for (raft::Index index = known + 1; index <= image.offset(); index = index + 1) {
      missing.push_back(log.at(index));
    }
    pack(missing, [&](std::string message) { sink->send(std::move(message)); });
  }
}

void Publisher::committed(std::vector<raft::Entry> entries) {
  std::erase_if(entries, [&](const raft::Entry& each) { return each.index <= published_; });
  if (entries.empty()) return;
  published_ = entries.back().index;
  if (sinks_.empty()) return;
  pack(entries, [&](const std::string& message) {
    // A send may find its subscriber gone.
    const auto sinks = sinks_;
    for (const auto& [id, sink] : sinks) sink->send(message);
  });
}

void Publisher::jumped(const meta::Image& image) {
  if (image.offset() <= published_) return;
  published_ = image.offset();
  if (sinks_.empty()) return;
  const std::string message = pack(image);
  const auto sinks = sinks_;
  for (const auto& [id, sink] : sinks) sink->send(message);
}

void Publisher::close() {
  for (auto& [id, sink] : sinks_) sink->on_gone = nullptr;
  sinks_.clear();
}

}  // namespace controller
