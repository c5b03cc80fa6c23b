#include "tests/sim/node/scripted_life.h"

#include <algorithm>
#include <utility>

#include "broker/log/log_directories.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::int32_t partitions_of(const std::vector<TopicSpec>& topics, const std::string& name) {
  return std::ranges::find(topics, name, &TopicSpec::name)->partitions;
}

}  // namespace

ScriptedLife::ScriptedLife(World& world, OneFault fault, std::vector<TopicSpec> topics)
    : world_(world),
      fault_(fault),
      topics_(std::move(topics)),
      facts_(world),
      rpc_(world),
      node_(world, facts_.network, rpc_),
      admin_(facts_, "admin", topics_),
      consumer_(facts_, "consumer",
                {.topic = kKept, .partitions = partitions_of(topics_, kKept), .group = "g1"}) {
  rpc_.faults.delay_min = rpc_.faults.delay_max = {};
  node_.disk.on_operation = [this](std::string_view, const std::string&) { before_operation(); };
}

// ---- steps

bool ScriptedLife::until(const std::string& otherwise, const std::function<bool()>& done) {
  const bool good = world_.run_until(done, seconds(20));
  if (!good) facts_.no_progress(otherwise);
  return good && !world_.failed();
}

bool ScriptedLife::begin() {
  arm();
  node_.start();
  supervise();
  admin_.create_all();
  if (!until("the topics are not made", [&] { return admin_.created(); })) return false;
  consumer_.start();
  return true;
}

bool ScriptedLife::produce(std::uint64_t batches) {
  std::vector<Producer*> now;
  for (const TopicSpec& spec : topics_) {
    for (std::int32_t i = 0; i < spec.partitions; ++i) {
      producers_.push_back(std::make_unique<Producer>(
          facts_, "producer" + std::to_string(producers_.size()),
          Producer::Options{.topic = spec.name, .partition = i, .batches_max = batches}));
      producer_made(spec, *producers_.back());
      now.push_back(producers_.back().get());
    }
  }
  for (Producer* each : now) each->start();
  return until("a producer cannot finish", [&] {
    return std::ranges::all_of(now, [](const Producer* each) { return each->done(); });
  });
}

bool ScriptedLife::delete_some() {
  admin_.delete_records_to(kKept, 0, 3);
  return until("records are not deleted", [&] {
    if (admin_.done() == 0 && admin_.idle()) admin_.delete_records_to(kKept, 0, 3);
    return admin_.done() > 0;
  });
}

std::vector<TopicContents> ScriptedLife::read_everything(bool power) {
  if (world_.failed()) return {};
  node_.crash(power);
  node_.start();
  std::vector<TopicContents> all;
  KafkaClient client(world_, facts_.network, "reader" + std::to_string(++readers_));
  for (const TopicSpec& spec : topics_) {
    for (std::int32_t i = 0; i < spec.partitions; ++i) {
      PartitionHistory& history = facts_.history(spec.name, i);
      const auto asked = history.bounds();
      Reader reader(facts_, client, spec.name, i);
      reader.start();
      if (!until("nobody can read " + spec.name, [&] { return reader.done(); })) return {};
      const TopicContents& contents = reader.contents();
      history.start_is(contents.start, asked, "final read");
      history.high_watermark_is(contents.high_watermark, asked, "final read");
      history.check_contents(contents.records, contents.start, contents.high_watermark);
      if (spec.name != kKept) continue;
      all.push_back(contents);
      if (!was_read(i, contents)) return {};
    }
  }
  all_was_read();
  return all;
}

void ScriptedLife::heal() {
  node_.disk.stop_at(std::nullopt);
  node_.disk.faults = {};
  node_.may_fail_to_start = false;
  facts_.network.heal();
}

// ---- what goes wrong

void ScriptedLife::arm() {
  auto& disk = node_.disk;
  switch (fault_.kind) {
    case Fault::kNone:
    case Fault::kFullDisk:
    case Fault::kCut:
      return;
    case Fault::kKill:
      node_.stops_with_power = false;
      [[fallthrough]];
    case Fault::kPower:
    case Fault::kPowerTwice:
      return disk.stop_at(fault_.index);
    case Fault::kFailedOperation:
      node_.may_fail_to_start = true;
      disk.faults.fail_operation = fault_.index;
      return;
    case Fault::kFailedSync:
      node_.may_fail_to_start = true;
      disk.faults.fail_sync = fault_.index;
      return;
  }
}

void ScriptedLife::before_operation() {
  if (happened_ || node_.disk.operations() < fault_.index) return;
  happened_ = true;
  on_fault();
}

// For a while there is no more space than that.
void ScriptedLife::fill_disk(std::uint64_t room) {
  const auto space = node_.disk.space("/");
  node_.disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + room;
  world_.after(milliseconds(200), [this] { node_.disk.faults.capacity_bytes.reset(); });
}

// Whoever runs the node: starts it when it has ended, ends it when it says that it must be.
void ScriptedLife::supervise() {
  world_.after(milliseconds(10), [this] { supervise(); });
  if (!node_.up()) {
    if (fault_.kind == Fault::kPowerTwice && node_.lives() == 1) {
      node_.disk.stop_at(node_.disk.operations() + fault_.index % 37);
    }
    return node_.start();
  }
  if (node_.broken() && !std::exchange(broken_, true)) on_broken();
}

void ScriptedLife::on_broken() {
  const bool failed = fault_.kind == Fault::kFailedOperation || fault_.kind == Fault::kFailedSync;
  if (!failed && !(node_.may_fail_to_start && !node_.serving())) {
    std::string why = name_of(fault_.kind) + " broke the node";
    if (!node_.out_of_service()) return wrong(why);
    for (const auto& store : node_.broker()->directories().all()) {
      if (store->failed()) why += ": " + store->directory->failure()->what;
    }
    return wrong(why);
  }
  broke();
  world_.after(milliseconds(60), [this] {
    ends_broken();
    broken_ = false;
    node_.disk.faults = {};
    node_.crash(fault_.variant);
  });
}

}  // namespace sim
