#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/workload/metadata_admin.h"
#include "tests/sim/workload/metadata_process.h"
#include "tests/sim/workload/workload.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class MetadataRun {
 public:
  explicit MetadataRun(World& world)
      : world_(world),
        faults_(world.random("faults")),
        rpc_(world),
        images_(world),
        controller_(world, rpc_, images_) {
    for (std::int32_t id : {1, 2}) {
      brokers_.push_back(std::make_unique<FollowerProcess>(world, rpc_, images_, id));
      admins_.push_back(std::make_unique<Admin>(world, *brokers_.back(), expected_,
                                                "admin" + std::to_string(id)));
    }
  }
  ~MetadataRun() {
    controller_.crash(false);
    for (auto& each : brokers_) each->crash();
  }

  void run() {
    controller_.start();
    for (auto& each : brokers_) each->start();
    rpc_.faults.lost_percent = 2;
    rpc_.faults.delay_max = milliseconds(8);
    for (std::size_t i = 0; i < admins_.size(); ++i) keep_calling(i);
    world_.after(milliseconds(500), [this] { misbehave(); });
    world_.run_for(seconds(20));
    if (!world_.failed()) heal_and_check();
  }

 private:
  void keep_calling(std::size_t i) {
    if (!faulty_) return;
    if (brokers_[i]->up() && brokers_[i]->ready && !admins_[i]->busy()) {
      admins_[i]->call([] {});
    }
    world_.after(milliseconds(faults_.between(1, 30)), [this, i] { keep_calling(i); });
  }

  void misbehave() {
    if (!faulty_) return;
    switch (faults_.below(8)) {
      case 0:
      case 1:
      case 2:
        if (controller_.up()) {
          controller_.crash(faults_.chance(2, 3));
        } else {
          restart_controller();
        }
        break;
      case 3:
        // The machine stops at one of its next disk operations; whoever looks finds it dead.
        controller_.disk.stop_at(controller_.disk.operations() + faults_.below(12));
        break;
      case 4: {
        const auto i = faults_.below(brokers_.size());
        brokers_[i]->crash();
        admins_[i]->forget();
        brokers_[i]->start();
        break;
      }
      case 5:
        controller_.disk.faults.capacity_bytes = faults_.below(4000);
        break;
      case 6:
        rpc_.cut("controller", "broker " + std::to_string(1 + faults_.below(2)));
        break;
      default:
        rpc_.heal();
        controller_.disk.faults.capacity_bytes.reset();
        break;
    }
    if (controller_.disk.stopped()) controller_.crash(true);
    if (!controller_.up() && faults_.chance(2, 3)) restart_controller();
    world_.after(milliseconds(faults_.between(10, 700)), [this] { misbehave(); });
  }

  void restart_controller() {
    // A disk that is full at the start is another story: the process ends with a message.
    controller_.disk.faults.capacity_bytes.reset();
    controller_.start();
  }

  void heal_and_check() {
    faulty_ = false;
    rpc_.heal();
    rpc_.faults.lost_percent = 0;
    controller_.disk.faults = {};
    controller_.crash(true);
    controller_.disk.stop_at(std::nullopt);
    controller_.start();
    for (auto& each : brokers_) {
      if (!each->up()) each->start();
    }
    const bool settled = world_.run_until(
        [&] {
          if (!controller_.started()) return false;
          for (auto& each : brokers_) {
            if (each->follower->image()->offset() != controller_.controller().image()->offset() ||
                !each->ready) {
              return false;
            }
          }
          return true;
        },
        seconds(10));
    if (world_.failed()) return;
    if (!settled) {
      std::string why = "10 s after all healed the controller is ";
      why += controller_.started()
                 ? "at " + std::to_string(controller_.controller().image()->offset().value())
                 : std::string("not there");
      for (auto& each : brokers_) {
        why += ", broker " + std::to_string(each->id) + (each->ready ? " at " : " not ready at ") +
               std::to_string(each->follower->image()->offset().value());
      }
      return world_.fail(Verdict::kNoProgress, why);
    }
    const std::string broken = expected_.broken_by(*controller_.controller().image());
    if (!broken.empty()) return world_.fail(Verdict::kIncorrect, broken);
    std::uint64_t acknowledged = 0;
    for (auto& each : admins_) acknowledged += each->acknowledged;
    world_.trace("acknowledged", acknowledged);
    if (acknowledged == 0) world_.fail(Verdict::kNoProgress, "not one call was acknowledged");
  }

  World& world_;
  base::Random faults_;
  SimRpc rpc_;
  Images images_;
  ControllerProcess controller_;
  Expected expected_;
  std::vector<std::unique_ptr<FollowerProcess>> brokers_;
  std::vector<std::unique_ptr<Admin>> admins_;
  bool faulty_ = true;
};

// A script of calls; the disk stops at operation `stop`, and when `stop_again`, once more while the
// controller recovers. Returns how many operations there were.
std::uint64_t run_script(World& world, std::optional<std::uint64_t> stop, bool stop_again) {
  SimRpc rpc(world);
  Images images(world);
  ControllerProcess controller(world, rpc, images);
  FollowerProcess broker(world, rpc, images, 1);
  Expected expected;
  Admin admin(world, broker, expected, "admin");
  controller.disk.stop_at(stop);
  controller.start();
  broker.start();
  int calls = 0;
  bool finished = false;
  std::function<void()> next = [&] {
    if (++calls > 40) {
      finished = true;
    } else {
      admin.call([&] { world.after(milliseconds(1), [&] { next(); }); });
    }
  };
  bool begun = false;
  const auto over = [&] {
    if (!begun && broker.ready) {
      begun = true;
      next();
    }
    return finished || controller.disk.stopped();
  };
  if (!world.run_until(over, seconds(30)) && !world.failed()) {
    world.fail(Verdict::kNoProgress, "the script does not end");
  }
  const std::uint64_t operations = controller.disk.operations();
  if (stop && !world.failed()) {
    controller.crash(true);
    if (stop_again) {
      const auto more = world.random("again").below(8);
      controller.disk.stop_at(controller.disk.operations() + more);
      controller.start();
      world.run_for(seconds(2));
      controller.crash(true);
    }
    controller.start();
    if (!world.run_until([&] { return controller.started(); }, seconds(10)) && !world.failed()) {
      world.fail(Verdict::kNoProgress, "no recovery");
    }
    if (!world.failed()) {
      const std::string broken = expected.broken_by(*controller.controller().image());
      if (!broken.empty()) world.fail(Verdict::kIncorrect, broken);
    }
  }
  controller.crash(false);
  broker.crash();
  return operations;
}

}  // namespace

void run_metadata(World& world) {
  auto run = std::make_unique<MetadataRun>(world);
  run->run();
}

void run_metadata_each_operation(World& world) {
  World plain(world.seed());
  const std::uint64_t operations = run_script(plain, std::nullopt, false);
  if (plain.failed()) return world.fail(plain.verdict(), "without a crash: " + plain.why());
  for (std::uint64_t stop = 0; stop < operations; ++stop) {
    for (const bool again : {false, true}) {
      World one(world.seed());
      run_script(one, stop, again);
      world.trace("stopped", stop, one.digest());
      if (one.failed()) {
        return world.fail(one.verdict(), "stopped at disk operation " + std::to_string(stop) +
                                             (again ? " and again: " : ": ") + one.why());
      }
    }
  }
}

}  // namespace sim
