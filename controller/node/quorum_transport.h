// Carries Raft's messages between controllers: one call of Quorum/Step at a time per peer, with all
// that gathered meanwhile, so that they arrive in order. What does not arrive is dropped: Raft asks
// again. A snapshot travels in pieces of kChunkBytes between the other messages. One executor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/diag.h"
#include "common/base/uuid.h"
#include "common/io/executor.h"
#include "common/io/net.h"
#include "common/io/rpc.h"
#include "controller/raft/protocol.h"
#include "proto/quorum.pb.h"

namespace controller {

// Makes the client of another controller; its callbacks come on the controller's executor.
using ConnectPeer =
    std::function<std::unique_ptr<io::RpcClient>(std::int32_t id, const io::Address& address)>;

class QuorumTransport : public std::enable_shared_from_this<QuorumTransport> {
 public:
  using Receive = std::function<void(raft::Message)>;
  struct Probe {
    base::Uuid directory;
    bool empty = false;
  };
  using Probed = std::function<void(std::optional<Probe>)>;

  // `endpoints` is where members without an address of their own are found.
  QuorumTransport(io::Executor& executor, base::Diag& diag, raft::NodeId self, ConnectPeer connect,
                  std::map<std::int32_t, io::Address> endpoints);

  // Whom to give what comes in; null: nobody (it is dropped).
  void receive(Receive receive) { receive_ = std::move(receive); }
  // Of the cluster that this member belongs to, once known: strangers are refused from then on.
  void cluster(base::Uuid id) { cluster_ = id; }
  // Where `members` say that they are.
  void members(const raft::Membership& members);

  void send(const raft::Message& message);
  // Asks one member what its log holds; nothing when it does not answer.
  void probe(raft::NodeId id, Probed done);
  // Holds a stream to `leader` and calls `gone`, once, when it breaks: its process ended, or it
  // does not lead any more. Instead of the one before; kNobody: to none.
  void watch(raft::NodeId leader, std::function<void()> gone);
  // Where a member is reached; nothing when nobody said.
  std::optional<io::Address> address_of(raft::NodeId id) const;

  // The answer to Quorum/Step.
  std::string step(const std::string& request);

 private:
  struct Outgoing {  // a snapshot on its way
    raft::Message message;
    std::uint64_t sent = 0;
  };
  struct Peer {
    std::unique_ptr<io::RpcClient> client;
    io::Address address;
    std::deque<proto::QuorumMessage> queue;
    std::size_t queue_bytes = 0;
    std::optional<Outgoing> snapshot;
    bool busy = false;
    bool away = false;  // the last call failed
  };
  struct Incoming {  // pieces of a snapshot from one member
    raft::Message message;
    std::string data;
  };

  Peer* peer(raft::NodeId id);
  void pump(raft::NodeId id);
  bool add_chunk(Peer& peer, proto::QuorumStepRequest& request);
  void done(raft::NodeId id, const io::IoResult<std::string>& result);
  void take(const proto::QuorumMessage& message);
  void take_chunk(const proto::QuorumSnapshotChunk& chunk, raft::Message message);

  io::Executor& executor_;
  base::Diag& diag_;
  const raft::NodeId self_;
  const ConnectPeer connect_;
  const std::map<std::int32_t, io::Address> endpoints_;
  std::map<std::int32_t, io::Address> told_;  // by the members' entry
  Receive receive_;
  base::Uuid cluster_;
  std::map<raft::NodeId, Peer> peers_;
  std::map<raft::NodeId, Incoming> incoming_;
  std::unique_ptr<io::RpcStream> watched_;
  std::uint64_t watches_ = 0;
};

}  // namespace controller
