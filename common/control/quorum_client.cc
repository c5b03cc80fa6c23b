#include "common/control/quorum_client.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/timer_wheel.h"
#include "common/wire/error_code.h"
#include "proto/controller.pb.h"
#include "proto/quorum.pb.h"

namespace control {
namespace {

// How long at most a member is left alone that was asked and is not known to lead, and one that
// refused ever more often. At least a quarter of it.
constexpr base::Duration kRest = std::chrono::milliseconds(80);
constexpr base::Duration kRestOfTheDead = std::chrono::milliseconds(500);

// How often somebody is asked who votes.
constexpr base::Duration kRefreshEvery = std::chrono::seconds(1);
constexpr base::Duration kRefreshTimeout = std::chrono::seconds(1);
constexpr int kVotersMax = 64;

struct Verdict {
  bool leads = true;
  std::int32_t leader = 0;  // who does, as far as the member knows; 0: unknown
  std::string message;
};

Verdict judge(const std::string& reply) {
  proto::ReplyHead head;
  // What cannot be read as a head is the caller's to refuse.
  if (!head.ParseFromString(reply)) return {};
  if (head.error().code() != static_cast<int>(wire::ErrorCode::kNotController)) return {};
  return {false, head.error().leader_id(), head.error().message()};
}

}  // namespace

class QuorumClient::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(io::Executor& executor, base::Random random, Members given, Addresses configured,
       Connect connect)
      : executor_(executor),
        random_(random),
        connect_(std::move(connect)),
        configured_(std::move(configured)),
        addresses_(configured_) {
    for (auto& [id, client] : given) members_[id].client = std::move(client);
    for (const auto& [id, address] : addresses_) members_[id].client = connect_(id, address);
    CHECK(!members_.empty());
    known_.store(members_.size(), std::memory_order_relaxed);
    // Processes that start together do not all ask the same member first.
    next_ = std::next(members_.begin(), static_cast<std::ptrdiff_t>(random_.below(members_.size())))
                ->first;
  }

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) {
    const std::uint64_t id = ++last_call_;
    Call& call = calls_[id];
    call.method = method;
    call.request = std::move(request);
    call.deadline = executor_.now() + timeout;
    call.reply = std::move(reply);
    call.again.on_fire([this, id] { find_one(id); });
    find_one(id);
  }

  // Once it is owned by a shared_ptr.
  void start() {
    if (!connect_) return;
    refresh_.on_fire([this] { refresh(); });
    executor_.timers().set(refresh_, executor_.now() + kRefreshEvery);
  }

  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler);
  void forget(std::uint64_t subscription) { subscriptions_.erase(subscription); }
  std::int32_t leader() const { return leader_; }
  std::size_t known() const { return known_.load(std::memory_order_relaxed); }

 private:
  struct Call {
    std::string method;
    std::string request;
    base::Instant deadline;
    io::RpcReply reply;
    std::size_t asked = 0;  // since it has waited
    base::Timer again;
  };
  struct Member {
    std::shared_ptr<io::RpcClient> client;
    base::Instant asked{};
    base::Duration rest{};  // from then on
    int refusals = 0;       // in a row
  };
  // One that is no member any more, with the last call that may have been sent to it.
  struct Retired {
    std::uint64_t last_call;
    std::shared_ptr<io::RpcClient> client;
  };
  struct Subscription {
    std::int32_t member;
    io::RpcStreamHandler handler;
    std::shared_ptr<io::RpcClient> client;  // outlives its stream
    std::unique_ptr<io::RpcStream> stream;
  };

  std::int32_t pick() const { return leader_ > 0 ? leader_ : next_; }
  std::int32_t after(std::int32_t member) const {
    const auto at = members_.upper_bound(member);
    return at == members_.end() ? members_.begin()->first : at->first;
  }

  base::Duration pause(int refusals) {
    const std::int64_t doubled = kRest.count() << std::min(refusals, 8);
    const std::int64_t most = std::min(doubled, std::max(kRest, kRestOfTheDead).count());
    return base::Duration(random_.between(most / 4, most));
  }
  void let_rest(Member& member, int refusals) {
    member.asked = executor_.now();
    member.rest = pause(refusals);
  }

  // The leader, else the next that does not rest; waits while all of them do.
  void find_one(std::uint64_t id) {
    Call& call = calls_.at(id);
    call.asked = 0;
    if (leader_ > 0) return attempt(id, leader_);
    base::Instant soonest = call.deadline;
    std::int32_t each = next_;
    for (std::size_t i = 0; i < members_.size(); ++i, each = after(each)) {
      const Member& member = members_.at(each);
      if (member.asked + member.rest <= executor_.now()) return attempt(id, each);
      soonest = std::min(soonest, member.asked + member.rest);
    }
    if (executor_.now() >= call.deadline) return give_up(id);
    executor_.timers().set(call.again, soonest);
  }

  void attempt(std::uint64_t id, std::int32_t member) {
    Call& call = calls_.at(id);
    const base::Duration left = call.deadline - executor_.now();
    if (left <= base::Duration::zero()) return give_up(id);
    ++call.asked;
    Member& asked = members_.at(member);
    // Others that look for the leader meanwhile ask another one.
    if (leader_ != member) let_rest(asked, asked.refusals);
    asked.client->call(call.method, call.request, left,
                       [weak = weak_from_this(), id, member](io::IoResult<std::string> result) {
                         if (const auto self = weak.lock())
                           self->answered(id, member, std::move(result));
                       });
  }

  // ---- who votes

  void refresh() {
    executor_.timers().set(refresh_, executor_.now() + kRefreshEvery);
    // Those that no open call may be waiting for.
    std::erase_if(retired_, [this](const Retired& each) {
      return calls_.empty() || calls_.begin()->first > each.last_call;
    });
    if (std::exchange(refreshing_, true)) return;
    members_.at(pick()).client->call(
        "Quorum/Members", proto::QuorumMembersRequest().SerializeAsString(), kRefreshTimeout,
        [weak = weak_from_this()](const io::IoResult<std::string>& result) {
          const auto self = weak.lock();
          if (!self) return;
          self->refreshing_ = false;
          if (result) self->take_voters(*result);
        });
  }

  void take_voters(const std::string& bytes) {
    proto::QuorumMembersReply reply;
    if (!reply.ParseFromString(bytes) || reply.error().code() != 0) return;
    if (reply.voters().empty() || reply.voters_size() > kVotersMax) return;
    Addresses addresses;
    for (const auto& each : reply.voters()) {
      const auto known = configured_.find(each.id());
      if (!each.host().empty() && each.port() > 0 && each.port() <= 65535) {
        addresses[each.id()] = {each.host(), static_cast<std::uint16_t>(each.port())};
      } else if (known != configured_.end()) {
        addresses[each.id()] = known->second;
      }
    }
    if (!reply.from_leader()) addresses.insert(addresses_.begin(), addresses_.end());
    if (addresses.empty() || addresses == addresses_) return;
    std::map<std::int32_t, Member> members;
    for (const auto& [id, address] : addresses) {
      const auto at = addresses_.find(id);
      const bool same = at != addresses_.end() && at->second == address;
      members[id] = same ? members_.at(id) : Member{.client = connect_(id, address)};
    }
    for (auto& [id, member] : std::exchange(members_, std::move(members))) {
      retired_.push_back({last_call_, std::move(member.client)});
    }
    addresses_ = std::move(addresses);
    known_.store(members_.size(), std::memory_order_relaxed);
    if (!members_.contains(leader_)) leader_ = -1;
    if (!members_.contains(next_)) next_ = after(next_);
  }

  void answered(std::uint64_t id, std::int32_t member, io::IoResult<std::string> result) {
    if (!result) {
      const int code = result.error().code;
      if (code == ECONNREFUSED || code == ECONNRESET || code == ETIMEDOUT) doubt(member);
      if (code == ECONNREFUSED) {
        refused(member);
        heard_ = std::to_string(member) + ": " + result.error().what;
        return find_one(id);
      }
      return settle(id, std::move(result));
    }
    if (const auto at = members_.find(member); at != members_.end()) at->second.refusals = 0;
    Verdict verdict = judge(*result);
    if (verdict.leads) {
      believe(member);
      return settle(id, std::move(result));
    }
    doubt(member);
    heard_ = std::to_string(member) + ": " + verdict.message;
    if (verdict.leader != member && members_.contains(verdict.leader)) {
      return follow(id, verdict.leader);
    }
    find_one(id);
  }

  // It may lead by now, whatever it said before.
  void follow(std::uint64_t id, std::int32_t hint) {
    if (leader_ < 0) next_ = hint;
    Member& named = members_.at(hint);
    // Those that still name one that is gone are not believed again and again.
    named.rest = std::min(named.rest, pause(0));
    if (named.refusals > 0) {
      named.refusals = 1;
      return find_one(id);
    }
    // Two may name each other: a bounded number of times.
    if (calls_.at(id).asked <= members_.size()) return attempt(id, hint);
    find_one(id);
  }

  void refused(std::int32_t member) {
    const auto at = members_.find(member);
    if (at != members_.end()) let_rest(at->second, at->second.refusals++);
  }

  void give_up(std::uint64_t id) {
    const Call& call = calls_.at(id);
    settle(id, io::io_failure(ETIMEDOUT,
                              call.method + ": no controller leads (asked last " + heard_ + ")"));
  }

  void settle(std::uint64_t id, io::IoResult<std::string> result) {
    auto call = calls_.extract(id);
    call.mapped().reply(std::move(result));
  }

  void believe(std::int32_t member) {
    if (leader_ == member) return;
    leader_ = next_ = member;
    if (connect_) executor_.timers().set(refresh_, executor_.now());
    // Who waits for a leader or still listens to another is told, on a turn of its own.
    executor_.post([weak = weak_from_this(), member] {
      const auto self = weak.lock();
      if (!self || self->leader_ != member) return;
      self->wake_waiting();
      std::vector<std::uint64_t> elsewhere;
      for (const auto& [id, each] : self->subscriptions_) {
        if (each->member != member) elsewhere.push_back(id);
      }
      for (std::uint64_t id : elsewhere) {
        self->broke(id, {ECONNRESET, "controller " + std::to_string(member) + " leads now"});
      }
    });
  }
  void wake_waiting() {
    for (auto& [id, call] : calls_) {
      if (call.again.is_set()) executor_.timers().set(call.again, executor_.now());
    }
  }
  void doubt(std::int32_t member) {
    if (leader_ == member) leader_ = -1;
    if (next_ == member) next_ = after(member);
  }

  void broke(std::uint64_t id, const io::IoError& error) {
    const auto at = subscriptions_.find(id);
    if (at == subscriptions_.end()) return;
    auto subscription = std::move(at->second);
    subscriptions_.erase(at);
    // A stream is not ended from within its own callback.
    executor_.post([client = subscription->client, stream = std::move(subscription->stream)] {});
    subscription->handler.on_broken(error);
  }

  io::Executor& executor_;
  base::Random random_;
  const Connect connect_;
  const Addresses configured_;
  Addresses addresses_;  // of members_, when they may change
  std::map<std::int32_t, Member> members_;
  std::vector<Retired> retired_;
  std::atomic<std::size_t> known_{0};
  base::Timer refresh_;
  bool refreshing_ = false;
  std::int32_t leader_ = -1;  // believed
  std::int32_t next_ = -1;    // whom to ask when no leader is known
  std::string heard_;         // what the last one said that does not lead
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t last_subscription_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Subscription>> subscriptions_;
};

namespace {

class Stream final : public io::RpcStream {
 public:
  Stream(std::weak_ptr<QuorumClient::Core> core, std::uint64_t id)
      : core_(std::move(core)), id_(id) {}
  ~Stream() override {
    if (const auto core = core_.lock()) core->forget(id_);
  }

 private:
  const std::weak_ptr<QuorumClient::Core> core_;
  const std::uint64_t id_;
};

}  // namespace

std::unique_ptr<io::RpcStream> QuorumClient::Core::subscribe(const std::string& method,
                                                             std::string request,
                                                             io::RpcStreamHandler handler) {
  const std::uint64_t id = ++last_subscription_;
  const std::int32_t member = pick();
  auto& mine = subscriptions_[id];
  mine = std::make_shared<Subscription>(Subscription{.member = member,
                                                     .handler = std::move(handler),
                                                     .client = members_.at(member).client,
                                                     .stream = {}});
  const auto weak = weak_from_this();
  io::RpcStreamHandler inner;
  inner.on_message = [weak, id](std::string message) {
    const auto self = weak.lock();
    if (!self) return;
    const auto at = self->subscriptions_.find(id);
    if (at == self->subscriptions_.end()) return;
    const auto held = at->second;  // the subscriber may end it from within
    held->handler.on_message(std::move(message));
  };
  inner.on_broken = [weak, id, member](const io::IoError& error) {
    const auto self = weak.lock();
    if (!self) return;
    self->doubt(member);
    self->broke(id, error);
  };
  mine->stream = mine->client->subscribe(method, std::move(request), std::move(inner));
  return std::make_unique<Stream>(weak, id);
}

QuorumClient::QuorumClient(io::Executor& executor, base::Random random, Members members)
    : core_(std::make_shared<Core>(executor, random, std::move(members), Addresses(), nullptr)) {}
QuorumClient::QuorumClient(io::Executor& executor, base::Random random, Addresses configured,
                           Connect connect)
    : core_(std::make_shared<Core>(executor, random, Members(), std::move(configured),
                                   std::move(connect))) {
  core_->start();
}
QuorumClient::~QuorumClient() = default;
void QuorumClient::call(const std::string& method, std::string request, base::Duration timeout,
                        io::RpcReply reply) {
  core_->call(method, std::move(request), timeout, std::move(reply));
}
std::unique_ptr<io::RpcStream> QuorumClient::subscribe(const std::string& method,
                                                       std::string request,
                                                       io::RpcStreamHandler handler) {
  return core_->subscribe(method, std::move(request), std::move(handler));
}
std::int32_t QuorumClient::believed_leader() const { return core_->leader(); }
std::size_t QuorumClient::known() const { return core_->known(); }

}  // namespace control
