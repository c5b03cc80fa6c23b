#include "controller/node/quorum_codec.h"

#include <algorithm>
#include <limits>

#include "common/meta/image.h"

namespace controller {
namespace {

void put(const base::Uuid& uuid, proto::Uuid& out) {
  out.set_high(uuid.high);
  out.set_low(uuid.low);
}
base::Uuid uuid(const proto::Uuid& from) { return {from.high(), from.low()}; }

struct EncodeBody {
  proto::QuorumMessage& out;
  void operator()(const raft::VoteRequest& from) const {
    auto* to = out.mutable_vote_request();
    to->set_pre(from.pre);
    to->set_last_index(from.last_index.value());
    to->set_last_term(from.last_term.value());
    to->set_transfer(from.transfer);
  }
  void operator()(const raft::VoteReply& from) const {
    auto* to = out.mutable_vote_reply();
    to->set_pre(from.pre);
    to->set_granted(from.granted);
  }
  void operator()(const raft::AppendRequest& from) const {
    auto* to = out.mutable_append_request();
    to->set_prev_index(from.prev_index.value());
    to->set_prev_term(from.prev_term.value());
    to->set_commit(from.commit.value());
    for (const raft::Entry& each : from.entries) {
      auto* entry = to->add_entries();
      entry->set_index(each.index.value());
      entry->set_term(each.term.value());
      entry->set_data(*each.data);
      if (each.members) encode(*each.members, *entry->mutable_members());
    }
  }
  void operator()(const raft::AppendReply& from) const {
    auto* to = out.mutable_append_reply();
    to->set_accepted(from.accepted);
    to->set_index(from.index.value());
    to->set_refused(from.refused.value());
  }
  void operator()(const raft::SnapshotRequest& from) const {
    auto* to = out.mutable_snapshot();
    to->set_index(from.snapshot.index.value());
    to->set_term(from.snapshot.term.value());
    if (from.snapshot.members) encode(*from.snapshot.members, *to->mutable_members());
  }
  void operator()(const raft::TimeoutNow&) const { out.mutable_timeout_now(); }
};

bool plausible(std::int64_t number) {
  return number >= 0 && number < std::numeric_limits<std::int64_t>::max() / 2;
}

std::optional<raft::AppendRequest> append_request(const proto::QuorumAppendRequest& from,
                                                  std::int64_t term) {
  raft::AppendRequest out{
      raft::Index(from.prev_index()), raft::Term(from.prev_term()), {}, raft::Index(from.commit())};
  if (!plausible(from.prev_index()) || !plausible(from.commit())) return std::nullopt;
  std::int64_t index = from.prev_index();
  std::int64_t last_term = from.prev_term();
  if (last_term < 0) return std::nullopt;
  for (const auto& each : from.entries()) {
    if (each.index() != ++index || each.term() < last_term || each.term() > term) {
      return std::nullopt;
    }
    last_term = each.term();
    raft::Entry entry{raft::Index(index), raft::Term(each.term()),
                      std::make_shared<const std::string>(each.data()), nullptr};
    if (each.has_members()) {
      entry.members = decode(each.members());
      if (!entry.members || !each.data().empty()) return std::nullopt;
    }
    out.entries.push_back(std::move(entry));
  }
  return out;
}

bool decode_body(const proto::QuorumMessage& from, raft::Message& out) {
  switch (from.body_case()) {
    case proto::QuorumMessage::kVoteRequest: {
      const auto& vote = from.vote_request();
      if (!plausible(vote.last_index()) || !plausible(vote.last_term())) return false;
      out.body = raft::VoteRequest{vote.pre(), raft::Index(vote.last_index()),
                                   raft::Term(vote.last_term()), vote.transfer()};
      return true;
    }
    case proto::QuorumMessage::kVoteReply:
      out.body = raft::VoteReply{from.vote_reply().pre(), from.vote_reply().granted()};
      return true;
    case proto::QuorumMessage::kAppendRequest: {
      auto request = append_request(from.append_request(), from.term());
      if (!request) return false;
      out.body = std::move(*request);
      return true;
    }
    case proto::QuorumMessage::kAppendReply: {
      const auto& reply = from.append_reply();
      if (!plausible(reply.index()) || !plausible(reply.refused())) return false;
      out.body = raft::AppendReply{reply.accepted(), raft::Index(reply.index()),
                                   raft::Index(reply.refused())};
      return true;
    }
    case proto::QuorumMessage::kSnapshot: {
      const auto& chunk = from.snapshot();
      if (chunk.index() < 1 || !plausible(chunk.index()) || chunk.term() < 0 ||
          chunk.term() > from.term()) {
        return false;
      }
      raft::Snapshot snapshot{raft::Index(chunk.index()), raft::Term(chunk.term()), nullptr,
                              nullptr};
      if (chunk.has_members()) {
        snapshot.members = decode(chunk.members());
        if (!snapshot.members) return false;
      }
      out.body = raft::SnapshotRequest{std::move(snapshot)};
      return true;
    }
    case proto::QuorumMessage::kTimeoutNow:
      out.body = raft::TimeoutNow{};
      return true;
    case proto::QuorumMessage::BODY_NOT_SET:
      return false;
  }
  return false;
}

}  // namespace

void encode(const raft::Membership& members, proto::QuorumMembers& out) {
  for (const raft::Member& each : members.members) {
    auto* member = out.add_members();
    member->set_id(each.id.value());
    put(each.directory, *member->mutable_directory());
    member->set_voter(each.voter);
    member->set_host(each.host);
    member->set_port(each.port);
  }
}

raft::MembershipPtr decode(const proto::QuorumMembers& members) {
  raft::Membership out;
  for (const auto& each : members.members()) {
    if (each.id() < 0 || each.port() > 65535 || each.host().size() > 255) return nullptr;
    out.members.push_back({raft::NodeId(each.id()), uuid(each.directory()), each.voter(),
                           each.host(), static_cast<std::uint16_t>(each.port())});
  }
  std::ranges::sort(out.members, {}, &raft::Member::id);
  for (std::size_t i = 1; i < out.members.size(); ++i) {
    if (out.members[i].id == out.members[i - 1].id) return nullptr;
  }
  return std::make_shared<const raft::Membership>(std::move(out));
}

void encode(const raft::Message& message, proto::QuorumMessage& out) {
  out.set_from(message.from.value());
  out.set_to(message.to.value());
  out.set_term(message.term.value());
  put(message.from_directory, *out.mutable_from_directory());
  put(message.to_directory, *out.mutable_to_directory());
  std::visit(EncodeBody{out}, message.body);
}

std::optional<raft::Message> decode(const proto::QuorumMessage& from) {
  if (from.from() < 0 || !plausible(from.term())) return std::nullopt;
  raft::Message out{raft::NodeId(from.from()),   raft::NodeId(from.to()),
                    raft::Term(from.term()),     raft::TimeoutNow{},
                    uuid(from.from_directory()), uuid(from.to_directory())};
  if (!decode_body(from, out)) return std::nullopt;
  return out;
}

}  // namespace controller
