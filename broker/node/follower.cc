#include "broker/node/follower.h"

#include <utility>

namespace broker {
namespace {

class PartitionFollower final : public Follower {
 public:
  explicit PartitionFollower(std::shared_ptr<Partition> partition)
      : partition_(std::move(partition)) {}

  std::string name() const override { return partition_->name().to_string(); }
  FollowState follow_state() override { return partition_->follow_state(); }
  Followed take_from_leader(const LeaderAnswer& answer) override {
    return partition_->take_from_leader(answer);
  }
  bool await_flushed(base::Offset end, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag) override {
    return partition_->await_flushed(end, home, std::move(listener), tag);
  }
  void stop_waiting(const PartitionListener* listener) override {
    partition_->stop_waiting(listener);
  }
  void repair(LeaderAnswer answer, io::Executor& home,
              std::move_only_function<void(Followed)> done) override {
    partition_->repair(std::move(answer), home, std::move(done));
  }

 private:
  std::shared_ptr<Partition> partition_;
};

}  // namespace

std::shared_ptr<Follower> make_follower(std::shared_ptr<Partition> partition) {
  return std::make_shared<PartitionFollower>(std::move(partition));
}

}  // namespace broker
