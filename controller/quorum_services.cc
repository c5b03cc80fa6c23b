// The quorum's own services: what controllers send each other, and changes of the voters.
#include <utility>

#include "common/base/check.h"
#include "controller/cluster/verdict.h"
#include "controller/core.h"
#include "controller/node/methods.h"
#include "proto/quorum.pb.h"

namespace controller {
namespace {

// How long an addition may take before the caller is told that it goes on without him.
constexpr base::Duration kJoinTimeout = std::chrono::seconds(10);
constexpr std::size_t kHostBytesMax = 255;

std::int64_t ms_ago(base::Instant now, const std::optional<base::Instant>& then) {
  if (!then) return -1;
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - *then).count();
}

}  // namespace

void Controller::Core::refuse(const cluster::Refusal& refusal, proto::Error* error) const {
  cluster::set_error(error, refusal);
  if (refusal.code != wire::ErrorCode::kNotController || !member_ || !member_->running()) return;
  const raft::NodeId leader = member_->raft().leader();
  if (leader != raft::kNobody && leader != raft::NodeId(config_.node_id)) {
    error->set_leader_id(leader.value());
  }
}

void Controller::Core::serve_quorum() {
  const auto serve = [&](const char* method, auto handle) {
    seams_.rpc.serve(method,
                     [weak = weak_from_this(), handle](std::string request, io::RpcReply reply) {
                       const auto self = weak.lock();
                       if (!self || self->stopping_) {
                         return reply(io::io_failure(ECONNRESET, "this controller has stopped"));
                       }
                       handle(*self, request, std::move(reply));
                     });
  };
  serve(methods::kAddVoter, [](Core& self, const std::string& request, io::RpcReply reply) {
    self.add_voter(request, std::move(reply));
  });
  serve(methods::kRemoveVoter, [](Core& self, const std::string& request, io::RpcReply reply) {
    self.remove_voter(request, std::move(reply));
  });
  serve(methods::kDescribeQuorum, [](Core& self, const std::string&, io::RpcReply reply) {
    self.describe_quorum(std::move(reply));
  });
  serve(methods::kQuorumMembers, [](Core& self, const std::string&, io::RpcReply reply) {
    self.tell_members(std::move(reply));
  });
  if (solitary()) return;
  serve(methods::kQuorumStep, [](Core& self, const std::string& request, io::RpcReply reply) {
    reply(self.transport_->step(request));
  });
  seams_.rpc.serve_stream(
      methods::kQuorumWatch,
      [weak = weak_from_this()](const std::string&, std::shared_ptr<io::RpcSink> sink) {
        const auto self = weak.lock();
        if (!self || self->stopping_ || !self->member_ || !self->member_->running() ||
            !self->member_->raft().leading()) {
          return;
        }
        sink->on_gone = [weak, raw = sink.get()] {
          if (const auto held = weak.lock()) {
            std::erase_if(held->watchers_, [&](const auto& each) { return each.get() == raw; });
          }
        };
        self->watchers_.push_back(std::move(sink));
      });
  serve(methods::kQuorumProbe, [](Core& self, const std::string&, io::RpcReply reply) {
    if (!self.member_ || !self.member_->running()) {
      return reply(io::io_failure(EAGAIN, "the log is not open"));
    }
    const auto probe = self.member_->probe();
    proto::QuorumProbeReply out;
    out.set_id(self.config_.node_id);
    out.mutable_directory()->set_high(probe.directory.high);
    out.mutable_directory()->set_low(probe.directory.low);
    out.set_empty(probe.empty);
    reply(out.SerializeAsString());
  });
}

void Controller::Core::end_watches() {
  for (const auto& each : watchers_) each->on_gone = nullptr;
  watchers_.clear();
}

// Why the members cannot be changed now; nothing when they can.
std::optional<cluster::Refusal> Controller::Core::members_fixed() const {
  if (!ready()) return not_ready();
  if (solitary()) {
    return cluster::Refusal{wire::ErrorCode::kInvalidRequest,
                            "this controller runs alone: it was given no gRPC address"};
  }
  if (!member_->raft().can_change()) {
    return cluster::Refusal{wire::ErrorCode::kRequestTimedOut,
                            "another change of the voters is under way: try again"};
  }
  return std::nullopt;
}

void Controller::Core::add_voter(const std::string& bytes, io::RpcReply reply) {
  const auto refuse_with = [&](wire::ErrorCode code, const std::string& why) {
    reply(refused<proto::AddVoterReply>({code, why}));
  };
  if (const auto why = members_fixed()) return refuse_with(why->code, why->message);
  proto::AddVoterRequest request;
  if (!request.ParseFromString(bytes) || request.id() < 1 || request.host().empty() ||
      request.host().size() > kHostBytesMax || request.port() < 1 || request.port() > 65535) {
    return refuse_with(wire::ErrorCode::kInvalidRequest,
                       "a controller has an id of at least 1, a host and a port");
  }
  const raft::NodeId id(request.id());
  const raft::Membership& members = member_->raft().members();
  const raft::Member* known = members.find(id);
  if (known && known->voter) {
    return refuse_with(wire::ErrorCode::kDuplicateVoter,
                       "controller " + std::to_string(request.id()) + " is a voter already");
  }
  const raft::Member member{id, known ? known->directory : base::Uuid{}, false, request.host(),
                            static_cast<std::uint16_t>(request.port())};
  if (!known || !(*known == member)) member_->change_members(members.with(member));
  const base::Instant deadline = seams_.executor.now() + kJoinTimeout;
  joining_.push_back({id, deadline, std::move(reply)});
  if (!join_limit_.is_set()) seams_.executor.timers().set(join_limit_, deadline);
}

// Answers who waits for a member that is a voter now, or whose time is up; `all` when this node
// cannot tell any more.
void Controller::Core::settle_joining(bool all) {
  if (joining_.empty()) return;
  const base::Instant now = seams_.executor.now();
  std::vector<Joining> waiting;
  for (Joining& each : std::exchange(joining_, {})) {
    const bool known = !all && member_ && member_->running();
    const raft::Member* member = known ? member_->raft().members().find(each.id) : nullptr;
    const bool settled = known && member_->raft().log().members_index() <= member_->raft().commit();
    if (member && member->voter && settled) {
      proto::AddVoterReply out;
      out.set_offset(member_->raft().log().members_index().value());
      each.reply(out.SerializeAsString());
    } else if (all || now >= each.deadline || (settled && !member)) {
      each.reply(refused<proto::AddVoterReply>(
          {wire::ErrorCode::kRequestTimedOut,
           "controller " + std::to_string(each.id.value()) +
               " has not caught up yet; it becomes a voter when it has"}));
    } else {
      waiting.push_back(std::move(each));
    }
  }
  for (Joining& each : waiting) joining_.push_back(std::move(each));
  if (!joining_.empty()) {
    seams_.executor.timers().set(join_limit_, joining_.front().deadline);
  }
}

void Controller::Core::remove_voter(const std::string& bytes, io::RpcReply reply) {
  const auto refuse_with = [&](wire::ErrorCode code, const std::string& why) {
    reply(refused<proto::RemoveVoterReply>({code, why}));
  };
  if (const auto why = members_fixed()) return refuse_with(why->code, why->message);
  proto::RemoveVoterRequest request;
  if (!request.ParseFromString(bytes)) {
    return refuse_with(wire::ErrorCode::kInvalidRequest, "the request cannot be read");
  }
  const raft::NodeId id(request.id());
  const raft::Membership& members = member_->raft().members();
  const raft::Member* member = members.find(id);
  if (member == nullptr) {
    return refuse_with(wire::ErrorCode::kVoterNotFound,
                       "controller " + std::to_string(request.id()) + " is not in the quorum");
  }
  if (member->voter && members.voters() == 1) {
    return refuse_with(wire::ErrorCode::kInvalidRequest, "the last voter cannot be removed");
  }
  if (!member_->raft().can_reach_majority(members.without(id))) {
    return refuse_with(
        wire::ErrorCode::kInvalidRequest,
        "of the voters that would remain no majority answers: bring them back first");
  }
  if (id == raft::NodeId(config_.node_id)) {
    // Another one leads first and does it then: the caller asks again.
    member_->transfer();
    return refuse_with(wire::ErrorCode::kNotController, "handing the leadership over first");
  }
  member_->change_members(members.without(id));
  const raft::Index index = member_->raft().log().last_index();
  state_.when_committed(index, [this, index, reply = std::move(reply)](bool committed) mutable {
    if (!committed) return reply(refused<proto::RemoveVoterReply>(lost()));
    proto::RemoveVoterReply out;
    out.set_offset(index.value());
    reply(out.SerializeAsString());
  });
}

void Controller::Core::tell_members(io::RpcReply reply) {
  if (!member_ || !member_->running() || !member_->raft().log().members()) {
    return reply(refused<proto::QuorumMembersReply>(not_ready()));
  }
  proto::QuorumMembersReply out;
  out.set_from_leader(ready());
  for (const raft::Member& each : member_->raft().members().members) {
    if (!each.voter) continue;
    auto* to = out.add_voters();
    to->set_id(each.id.value());
    to->set_host(each.host);
    to->set_port(each.port);
  }
  reply(out.SerializeAsString());
}

void Controller::Core::describe_quorum(io::RpcReply reply) {
  if (!ready()) return reply(refused<proto::DescribeQuorumReply>(not_ready()));
  const raft::Raft& raft = member_->raft();
  const base::Instant now = seams_.executor.now();
  proto::DescribeQuorumReply out;
  out.set_leader_id(config_.node_id);
  out.set_term(raft.term().value());
  out.set_high_watermark(raft.commit().value() + 1);
  const auto add = [&](const raft::Member& member, raft::Index end, std::int64_t contact,
                       std::int64_t caught_up) {
    auto* to = member.voter ? out.add_voters() : out.add_observers();
    to->set_id(member.id.value());
    to->set_log_end_offset(end.value() + 1);
    to->set_last_contact_ms(contact);
    to->set_last_caught_up_ms(caught_up);
    const auto address = transport_ ? transport_->address_of(member.id) : std::nullopt;
    if (!address) return;
    to->set_host(address->host);
    to->set_port(address->port);
  };
  const raft::Member* self = raft.members().find(raft.leader());
  if (self) add(*self, raft.log().last_index(), 0, 0);
  for (const raft::Peer& each : raft.peers()) {
    add(each.member, each.match, ms_ago(now, each.heard), ms_ago(now, each.caught_up));
  }
  for (const auto& [id, broker] : state_.committed()->brokers()) {
    auto* to = out.add_observers();
    to->set_id(id.value());
    const std::int64_t applied = liveness_.applied(id);
    to->set_log_end_offset(applied < 0 ? -1 : applied + 1);
    to->set_last_contact_ms(-1);
    to->set_last_caught_up_ms(-1);
  }
  reply(out.SerializeAsString());
}

}  // namespace controller
