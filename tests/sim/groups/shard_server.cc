#include "tests/sim/groups/shard_server.h"

#include <utility>

#include "common/base/check.h"

namespace sim {

using broker::group::Append;
using broker::group::GroupCoordinator;
using broker::group::Output;
using broker::group::Token;

ShardServer::ShardServer(World& world, broker::group::Config config)
    : world_(world), config_(config), random_(world.random("server")) {
  start();
}

base::WallMs ShardServer::wall_ms() const {
  return 1'700'000'000'000 + (world_.now() - base::Instant()) / std::chrono::milliseconds(1);
}

GroupCoordinator ShardServer::replayed() const {
  GroupCoordinator core(config_, random_.split("life " + std::to_string(life_)));
  for (const Append& append : log_) {
    for (const auto& record : append.records) {
      core.replay(record.key,
                  record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
    }
  }
  return core;
}

void ShardServer::start() {
  ++life_;
  core_.emplace(replayed());
  // Numbers begin anew with the core.
  syncing_ = false;
  Output out;
  core_->finish_replay(world_.now(), wall_ms(), out);
  take(std::move(out));
}

void ShardServer::ask(std::int16_t version, const std::string& client_id,
                      const GroupRequest& request, GroupDone done) {
  if (!core_) return;  // nobody listens
  const Token token(next_token_++);
  waiting_.emplace(token, std::move(done));
  const broker::group::Call call{.token = token,
                                 .version = version,
                                 .client_id = client_id,
                                 .client_host = "/sim",
                                 .now = world_.now(),
                                 .wall_ms = wall_ms()};
  if (topics_ != nullptr) core_->see_topics(topics_);
  Output out;
  std::visit([&](const auto& each) { core_->handle(call, each, out); }, request);
  take(std::move(out));
}

void ShardServer::take(Output out) {
  core_->check_invariants();
  for (Append& append : out.append) {
    world_.trace("append", append.number.value(), append.records.size());
    log_.push_back(std::move(append));
  }
  sync_soon();
  arm();
  for (auto& reply : out.reply) {
    auto waiting = waiting_.extract(reply.token);
    CHECK(!waiting.empty());
    waiting.mapped()(std::move(reply.response));
  }
}

void ShardServer::arm() {
  const auto at = core_->wake_at();
  if (!at || *at >= armed_) return;
  armed_ = *at;
  world_.at(*at, [this, life = life_] {
    if (life != life_ || !core_) return;
    armed_ = base::Instant::max();
    if (topics_ != nullptr) core_->see_topics(topics_);
    Output out;
    core_->step(world_.now(), wall_ms(), out);
    take(std::move(out));
  });
}

void ShardServer::sync_soon() {
  if (syncing_ || durable_ == log_.size()) return;
  syncing_ = true;
  const auto longest = sync_max_ / std::chrono::microseconds(1);
  const auto delay = std::chrono::microseconds(random_.between(50, longest));
  world_.after(delay, [this, life = life_, count = log_.size()] { end_sync(life, count); });
}

void ShardServer::end_sync(std::uint64_t life, std::size_t count) {
  if (life != life_ || !core_) return;
  syncing_ = false;
  if (std::exchange(break_next_sync_, false)) return reload();
  durable_ = count;
  Output out;
  core_->on_committed(log_[count - 1].number, world_.now(), out);
  take(std::move(out));
}

// What node::CoordinatorShard does when a write fails.
void ShardServer::reload() {
  world_.trace("a sync fails");
  Output out;
  core_->fail(wire::ErrorCode::kKafkaStorageError, out);
  for (auto& reply : out.reply) {
    auto waiting = waiting_.extract(reply.token);
    CHECK(!waiting.empty());
    waiting.mapped()(std::move(reply.response));
  }
  CHECK(waiting_.empty());
  crash(std::chrono::milliseconds(100));
}

void ShardServer::crash(base::Duration down) {
  ++life_;
  core_.reset();
  waiting_.clear();
  armed_ = base::Instant::max();
  syncing_ = false;
  // Some of what was written may have reached the disk.
  durable_ += random_.below(log_.size() - durable_ + 1);
  log_.resize(durable_);
  world_.trace("crash", durable_);
  world_.after(down, [this, life = life_] {
    if (life == life_) start();
  });
}

}  // namespace sim
