#include "broker/node/isr_changes.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/node/partition_table.h"
#include "broker/node/registrar.h"
#include "common/meta/apply.h"

namespace broker {
namespace {

using wire::ErrorCode;

// Partitions in one call; more go with the next.
constexpr std::size_t kPartitionsMax = 2000;
constexpr base::Duration kTimeout = std::chrono::seconds(2);
constexpr base::Duration kRetryFirst = std::chrono::milliseconds(10);
constexpr base::Duration kRetryMost = std::chrono::seconds(1);
// A follower that may not join now (it is fenced, it registers again) may do so in a moment.
constexpr base::Duration kRefusedRest = std::chrono::milliseconds(200);

IsrAnswer::Kind kind_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return IsrAnswer::Kind::kDone;
    case ErrorCode::kInvalidUpdateVersion:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kNewLeaderElected:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kUnknownTopicOrPartition:
      return IsrAnswer::Kind::kOutdated;
    default:
      return IsrAnswer::Kind::kRefused;
  }
}

}  // namespace

bool IsrChanges::ByName::operator()(const std::shared_ptr<Partition>& a,
                                    const std::shared_ptr<Partition>& b) const {
  const auto key = [](const Partition& each) {
    return std::tuple(std::string_view(each.topic()), each.index(), each.topic_id());
  };
  return key(*a) < key(*b);
}

IsrChanges::IsrChanges(io::Executor& home, ControllerClient& controller, Registrar& registrar,
                       PartitionTable& partitions, base::Diag& diag, base::Random random,
                       Options options)
    : home_(home),
      controller_(controller),
      registrar_(registrar),
      partitions_(partitions),
      diag_(diag),
      random_(random),
      options_(options),
      retry_([this] { send(); }),
      refused_timer_([this] {
        wanted_.merge(refused_);
        refused_.clear();
        send_soon();
      }),
      lag_timer_([this] { check_lag(); }),
      alive_(std::make_shared<bool>(true)) {}

IsrChanges::~IsrChanges() { *alive_ = false; }

void IsrChanges::start() { home_.timers().set(lag_timer_, home_.now() + options_.lag_max / 2); }

void IsrChanges::stop() {
  *alive_ = false;
  retry_.cancel();
  refused_timer_.cancel();
  lag_timer_.cancel();
  wanted_.clear();
  refused_.clear();
}

void IsrChanges::isr_change_wanted(std::shared_ptr<Partition> partition) {
  home_.post([this, alive = alive_, partition = std::move(partition)]() mutable {
    if (*alive) add(std::move(partition));
  });
}

void IsrChanges::add(std::shared_ptr<Partition> partition) {
  if (refused_.contains(partition)) return;
  wanted_.insert(std::move(partition));
  send_soon();
}

// Behind what else was posted: a follower that comes back makes all its partitions ask at once.
void IsrChanges::send_soon() {
  if (sending_ || send_posted_ || retry_.is_set() || wanted_.empty()) return;
  send_posted_ = true;
  home_.post([this, alive = alive_] {
    if (!*alive) return;
    send_posted_ = false;
    send();
  });
}

void IsrChanges::send() {
  if (sending_) return;
  std::vector<Asked> asked;
  proto::AlterPartitionRequest request;
  request.set_broker_id(options_.self.value());
  request.set_broker_epoch(registrar_.epoch().value());
  while (!wanted_.empty() && asked.size() < kPartitionsMax) {
    std::shared_ptr<Partition> partition = *wanted_.begin();
    wanted_.erase(wanted_.begin());
    auto proposal = partition->take_isr_proposal(home_.now());
    if (!proposal) continue;
    auto* out = request.add_partitions();
    meta::to_proto(partition->topic_id(), out->mutable_topic_id());
    out->set_partition(partition->index());
    out->set_leader_epoch(proposal->leader_epoch.value());
    out->set_partition_epoch(proposal->partition_epoch);
    for (const IsrMember& member : proposal->isr) {
      auto* each = out->add_isr();
      each->set_broker_id(member.id.value());
      // Ours is not told by any fetch.
      each->set_broker_epoch(member.id == options_.self ? registrar_.epoch().value()
                                                        : member.epoch.value());
    }
    asked.push_back({std::move(partition), *std::move(proposal)});
  }
  if (asked.empty()) return;
  sending_ = true;
  controller_.alter_partition(
      request, kTimeout, home_,
      [this, alive = alive_, asked = std::move(asked)](
          std::expected<proto::AlterPartitionReply, CallError> reply) mutable {
        if (!*alive) return;
        sending_ = false;
        on_reply(std::move(asked), reply);
      });
}

void IsrChanges::on_reply(std::vector<Asked> asked,
                          const std::expected<proto::AlterPartitionReply, CallError>& reply) {
  if (!reply) return fail_all(asked, reply.error());
  if (static_cast<std::size_t>(reply->partitions_size()) != asked.size()) {
    return fail_all(asked, {ErrorCode::kUnknownServerError, "an answer of another length"});
  }
  failures_ = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    on_one(asked[i], reply->partitions(static_cast<int>(i)));
  }
  send_soon();
}

void IsrChanges::on_one(const Asked& asked, const proto::AlterPartitionReply::Partition& answer) {
  const auto code = static_cast<ErrorCode>(answer.error().code());
  IsrAnswer out{.kind = kind_of(code), .partition_epoch = answer.partition_epoch(), .isr = {}};
  for (const auto id : answer.isr()) out.isr.push_back(base::BrokerId(id));
  if (out.kind == IsrAnswer::Kind::kRefused) {
    diag_.info(
        "isr", "the controller refuses a change of in-sync replicas",
        {{"partition", asked.partition->name().to_string()}, {"error", answer.error().message()}});
    refused_.insert(asked.partition);
    if (!refused_timer_.is_set()) {
      home_.timers().set(refused_timer_, home_.now() + kRefusedRest);
    }
  }
  asked.partition->on_isr_answer(asked.proposal, out);
}

// Nothing is known of what was asked: the same is asked again, after a rest.
void IsrChanges::fail_all(const std::vector<Asked>& asked, const CallError& error) {
  const std::uint32_t doublings = std::min<std::uint32_t>(failures_++, 16);
  const base::Duration delay =
      std::min<base::Duration>(kRetryFirst * (1LL << doublings), kRetryMost);
  diag_.write(failures_ > 6 ? base::Diag::Level::kWarn : base::Diag::Level::kDebug, "isr",
              "the controller could not be asked for a change of in-sync replicas",
              {{"error", error.message}});
  home_.timers().set(retry_,
                     home_.now() + delay + base::Duration(random_.between(0, delay.count() + 1)));
  for (const Asked& each : asked) {
    wanted_.insert(each.partition);
    each.partition->on_isr_answer(each.proposal, {.kind = IsrAnswer::Kind::kUnknown, .isr = {}});
  }
}

void IsrChanges::count(const meta::Delta& delta) {
  for (const auto& [id, topic] : delta.topics) {
    if (topic.before == nullptr || topic.after == nullptr) continue;
    for (const std::int32_t index : topic.partitions) {
      const auto at = static_cast<std::size_t>(index);
      if (at >= topic.before->partitions.size()) continue;
      const meta::Partition& before = topic.before->partitions[at];
      const meta::Partition& after = topic.after->partitions[at];
      if (after.leader != options_.self) continue;
      if (after.isr.size() < before.isr.size()) stats_.shrinks.add(1);
      if (after.isr.size() > before.isr.size()) stats_.expands.add(1);
    }
  }
}

void IsrChanges::check_lag() {
  const auto table = partitions_.snapshot();
  for (const auto& [id, topic] : table->by_id) {
    for (const auto& partition : topic->partitions) {
      if (partition != nullptr) partition->check_isr(home_.now());
    }
  }
  home_.timers().set(lag_timer_, home_.now() + options_.lag_max / 2);
}

}  // namespace broker
