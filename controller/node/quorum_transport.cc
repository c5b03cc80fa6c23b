#include "controller/node/quorum_transport.h"

#include <algorithm>
#include <utility>

#include "common/wire/error_code.h"
#include "controller/node/methods.h"
#include "controller/node/quorum_codec.h"

namespace controller {
namespace {

constexpr std::size_t kCallBytes = 4 << 20;    // of one call; a larger message travels alone
constexpr std::size_t kQueueBytes = 64 << 20;  // per peer; what is over is dropped
constexpr std::size_t kQueueMessages = 10'000;
constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::size_t kSnapshotBytesMax = std::size_t{1} << 30;
// A peer that is slower than this is treated as away; Raft repeats what it needs.
constexpr base::Duration kStepTimeout = std::chrono::seconds(1);

}  // namespace

QuorumTransport::QuorumTransport(io::Executor& executor, base::Diag& diag, raft::NodeId self,
                                 ConnectPeer connect, std::map<std::int32_t, io::Address> endpoints)
    : executor_(executor),
      diag_(diag),
      self_(self),
      connect_(std::move(connect)),
      endpoints_(std::move(endpoints)) {}

void QuorumTransport::members(const raft::Membership& members) {
  told_.clear();
  for (const raft::Member& each : members.members) {
    if (!each.host.empty()) told_[each.id.value()] = {each.host, each.port};
  }
}

std::optional<io::Address> QuorumTransport::address_of(raft::NodeId id) const {
  if (const auto at = told_.find(id.value()); at != told_.end()) return at->second;
  if (const auto at = endpoints_.find(id.value()); at != endpoints_.end()) return at->second;
  return std::nullopt;
}

QuorumTransport::Peer* QuorumTransport::peer(raft::NodeId id) {
  if (id == self_) return nullptr;
  const auto address = address_of(id);
  if (!address) return nullptr;
  Peer& peer = peers_[id];
  if (!peer.client || !(peer.address == *address)) {
    // The calls of the one before are not answered any more.
    peer = Peer{};
    peer.address = *address;
    peer.client = connect_(id.value(), *address);
  }
  return peer.client ? &peer : nullptr;
}

void QuorumTransport::send(const raft::Message& message) {
  Peer* to = peer(message.to);
  if (to == nullptr) return;
  if (const auto* request = std::get_if<raft::SnapshotRequest>(&message.body)) {
    const auto* under_way =
        to->snapshot ? &std::get<raft::SnapshotRequest>(to->snapshot->message.body) : nullptr;
    if (under_way && under_way->snapshot.index == request->snapshot.index &&
        to->snapshot->message.term == message.term) {
      return;
    }
    to->snapshot = Outgoing{message, 0};
    return pump(message.to);
  }
  proto::QuorumMessage encoded;
  encode(message, encoded);
  const std::size_t size = encoded.ByteSizeLong();
  if (to->queue.size() >= kQueueMessages ||
      (!to->queue.empty() && to->queue_bytes + size > kQueueBytes)) {
    return;
  }
  to->queue_bytes += size;
  to->queue.push_back(std::move(encoded));
  pump(message.to);
}

// True when there is more of the snapshot.
bool QuorumTransport::add_chunk(Peer& peer, proto::QuorumStepRequest& request) {
  Outgoing& outgoing = *peer.snapshot;
  const auto& data = *std::get<raft::SnapshotRequest>(outgoing.message.body).snapshot.data;
  auto* message = request.add_messages();
  encode(outgoing.message, *message);
  auto* chunk = message->mutable_snapshot();
  const std::size_t size = std::min<std::size_t>(kChunkBytes, data.size() - outgoing.sent);
  chunk->set_offset(outgoing.sent);
  chunk->set_data(data.substr(outgoing.sent, size));
  outgoing.sent += size;
  chunk->set_last(outgoing.sent == data.size());
  return outgoing.sent < data.size();
}

void QuorumTransport::pump(raft::NodeId id) {
  Peer& to = peers_.at(id);
  if (to.busy || (to.queue.empty() && !to.snapshot)) return;
  proto::QuorumStepRequest request;
  if (!cluster_.is_zero()) {
    request.mutable_cluster_id()->set_high(cluster_.high);
    request.mutable_cluster_id()->set_low(cluster_.low);
  }
  std::size_t bytes = 0;
  while (!to.queue.empty()) {
    const std::size_t size = to.queue.front().ByteSizeLong();
    if (bytes > 0 && bytes + size > kCallBytes) break;
    bytes += size;
    to.queue_bytes -= size;
    *request.add_messages() = std::move(to.queue.front());
    to.queue.pop_front();
  }
  if (to.snapshot && !add_chunk(to, request)) to.snapshot.reset();
  to.busy = true;
  to.client->call(methods::kQuorumStep, request.SerializeAsString(), kStepTimeout,
                  [weak = weak_from_this(), id](const io::IoResult<std::string>& result) {
                    if (const auto self = weak.lock()) self->done(id, result);
                  });
}

void QuorumTransport::done(raft::NodeId id, const io::IoResult<std::string>& result) {
  Peer& to = peers_.at(id);
  to.busy = false;
  std::string why;
  proto::QuorumStepReply reply;
  if (!result) {
    why = result.error().what;
  } else if (!reply.ParseFromString(*result) || reply.error().code() != 0) {
    why = reply.error().message();
  }
  const base::Diag::Details details = {{"controller", std::to_string(id.value())},
                                       {"address", to.address.to_string()},
                                       {"error", why}};
  if (!why.empty()) {
    // What follows a gap would only be refused.
    to.queue.clear();
    to.queue_bytes = 0;
    to.snapshot.reset();
    if (!std::exchange(to.away, true)) diag_.warn("quorum", "controller not reached", details);
    return;
  }
  if (std::exchange(to.away, false)) {
    diag_.info("quorum", "controller reached again", {details[0], details[1]});
  }
  pump(id);
}

void QuorumTransport::watch(raft::NodeId leader, std::function<void()> gone) {
  const std::uint64_t number = ++watches_;
  // This may come from within the stream's own callback.
  if (watched_) executor_.post([stream = std::move(watched_)] {});
  Peer* to = leader == raft::kNobody ? nullptr : peer(leader);
  if (to == nullptr) return;
  io::RpcStreamHandler handler;
  handler.on_message = [](const std::string&) {};
  handler.on_broken = [weak = weak_from_this(), number,
                       gone = std::move(gone)](const io::IoError&) {
    const auto self = weak.lock();
    if (self && self->watches_ == number) gone();
  };
  watched_ = to->client->subscribe(methods::kQuorumWatch, "", std::move(handler));
}

void QuorumTransport::probe(raft::NodeId id, Probed done) {
  Peer* to = peer(id);
  if (to == nullptr) {
    return executor_.post([done = std::move(done)] { done(std::nullopt); });
  }
  to->client->call(
      methods::kQuorumProbe, proto::QuorumProbeRequest().SerializeAsString(), kStepTimeout,
      [id, done = std::move(done)](const io::IoResult<std::string>& result) {
        proto::QuorumProbeReply reply;
        // An id that answers from another's address is a mistake in the configuration.
        if (!result || !reply.ParseFromString(*result) || reply.id() != id.value()) {
          return done(std::nullopt);
        }
        done(Probe{{reply.directory().high(), reply.directory().low()}, reply.empty()});
      });
}

std::string QuorumTransport::step(const std::string& bytes) {
  proto::QuorumStepRequest request;
  proto::QuorumStepReply reply;
  if (!request.ParseFromString(bytes)) {
    reply.mutable_error()->set_code(static_cast<int>(wire::ErrorCode::kInvalidRequest));
    reply.mutable_error()->set_message("the request cannot be read");
    return reply.SerializeAsString();
  }
  const base::Uuid theirs{request.cluster_id().high(), request.cluster_id().low()};
  if (!theirs.is_zero() && !cluster_.is_zero() && theirs != cluster_) {
    reply.mutable_error()->set_code(static_cast<int>(wire::ErrorCode::kInconsistentClusterId));
    reply.mutable_error()->set_message("this controller belongs to cluster " +
                                       cluster_.to_string() + ", not to " + theirs.to_string());
    return reply.SerializeAsString();
  }
  for (const auto& each : request.messages()) take(each);
  return reply.SerializeAsString();
}

void QuorumTransport::take(const proto::QuorumMessage& encoded) {
  auto message = decode(encoded);
  if (!message || !receive_) return;
  if (encoded.has_snapshot()) return take_chunk(encoded.snapshot(), std::move(*message));
  receive_(std::move(*message));
}

void QuorumTransport::take_chunk(const proto::QuorumSnapshotChunk& chunk, raft::Message message) {
  const auto snapshot_of = [](raft::Message& from) -> raft::Snapshot& {
    return std::get<raft::SnapshotRequest>(from.body).snapshot;
  };
  const raft::NodeId from = message.from;
  if (chunk.offset() == 0) incoming_[from] = Incoming{std::move(message), {}};
  const auto at = incoming_.find(from);
  if (at == incoming_.end()) return;
  Incoming& incoming = at->second;
  const raft::Snapshot& expected = snapshot_of(incoming.message);
  if (expected.index.value() != chunk.index() || expected.term.value() != chunk.term() ||
      chunk.offset() != incoming.data.size() ||
      incoming.data.size() + chunk.data().size() > kSnapshotBytesMax) {
    incoming_.erase(at);  // a piece is missing: it will be sent again from the start
    return;
  }
  incoming.data += chunk.data();
  if (!chunk.last()) return;
  raft::Message whole = std::move(incoming.message);
  snapshot_of(whole).data = std::make_shared<const std::string>(std::move(incoming.data));
  incoming_.erase(at);
  receive_(std::move(whole));
}

}  // namespace controller
