// Raft's messages <-> Protobuf. Pure. A snapshot's data is not in it: quorum_transport carries that
// in pieces.
#pragma once

#include <optional>

#include "controller/raft/protocol.h"
#include "proto/quorum.pb.h"

namespace controller {

void encode(const raft::Message& message, proto::QuorumMessage& out);
// Nothing when what came is no message that the core may be given: a gap between entries, terms
// that fall, negative numbers. A snapshot comes without data.
std::optional<raft::Message> decode(const proto::QuorumMessage& message);

void encode(const raft::Membership& members, proto::QuorumMembers& out);
// Sorted by id; nothing when an id appears twice.
raft::MembershipPtr decode(const proto::QuorumMembers& members);

}  // namespace controller
