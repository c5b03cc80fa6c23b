// Questions and orders to the active controller of one cluster (proto/controller.proto, service
// Admin), to await. What concerns topics is gathered for a moment and asked as one call, since
// there may be thousands of Topics and every call costs the controllers a sync. One executor.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"
#include "common/io/task.h"
#include "operator/plan/action.h"
#include "operator/plan/observed.h"

namespace kube {

// Why the controller refused or did not answer, for people.
using ControlResult = std::expected<void, std::string>;

// Gathers items and hands them over together, a moment after the first came.
template <class Item, class Result>
class Gather {
 public:
  using Answer = std::move_only_function<void(Result)>;
  struct Waiting {
    Item item;
    Answer answer;
  };
  using Send = std::function<void(std::vector<Waiting>)>;
  Gather(io::Executor& executor, base::Duration linger, std::size_t most, Send send)
      : executor_(executor), linger_(linger), most_(most), send_(std::move(send)) {
    timer_.on_fire([this] { flush(); });
  }
  void add(Item item, Answer answer) {
    if (waiting_.empty()) executor_.timers().set(timer_, executor_.now() + linger_);
    waiting_.push_back({std::move(item), std::move(answer)});
    if (waiting_.size() >= most_) flush();
  }

 private:
  void flush() {
    timer_.cancel();
    send_(std::exchange(waiting_, {}));
  }
  io::Executor& executor_;
  const base::Duration linger_;
  const std::size_t most_;
  const Send send_;
  base::Timer timer_;
  std::vector<Waiting> waiting_;
};

class Control {
 public:
  // `client` finds the active controller by itself.
  Control(io::Executor& executor, std::shared_ptr<io::RpcClient> client);

  // Everything that is always observed; the answers to questions are left empty.
  io::Task<std::expected<ControlSeen, std::string>> observe();
  // What they are. An error of one of them is its answer.
  io::Task<void> answer(ClusterQuestions questions, ControlSeen& seen);
  // Nothing: there is no such topic.
  io::Task<std::expected<std::optional<TopicSeen>, std::string>> topic(std::string name);
  // Not older than a second or so: asked for every Topic.
  io::Task<std::expected<std::vector<BrokerSeen>, std::string>> brokers();

  // Orders. What had been done before is a success (operator/plan/action.h).
  io::Task<ControlResult> order(Action action);

 private:
  template <class Reply, class Request>
  io::Task<std::expected<Reply, std::string>> ask(const char* method, Request request,
                                                  base::Duration timeout);
  template <class Reply>
  void ask(const char* method, std::string request,
           std::move_only_function<void(std::expected<Reply, std::string>)> then);

  io::Task<ControlResult> carry_out(DrainBroker order);
  io::Task<ControlResult> carry_out(ResumeBroker order);
  io::Task<ControlResult> carry_out(UnregisterBroker order);
  io::Task<ControlResult> carry_out(AddVoter order);
  io::Task<ControlResult> carry_out(RemoveVoter order);
  io::Task<ControlResult> carry_out(EvenOut order);
  io::Task<ControlResult> carry_out(AlterClusterConfigs order);
  io::Task<ControlResult> carry_out(AlterTopicConfigs order);
  io::Task<ControlResult> carry_out(CreateTopic order);
  io::Task<ControlResult> carry_out(CreatePartitions order);
  io::Task<ControlResult> carry_out(Reassign order);
  io::Task<ControlResult> carry_out(DeleteTopic order);

  using Described = std::expected<std::optional<TopicSeen>, std::string>;
  template <class Item, class Result>
  using Waiting = std::vector<typename Gather<Item, Result>::Waiting>;
  void send_describes(Waiting<std::string, Described> waiting);
  void send_creates(Waiting<CreateTopic, ControlResult> waiting);
  void send_configs(Waiting<AlterTopicConfigs, ControlResult> waiting);
  void send_partitions(Waiting<CreatePartitions, ControlResult> waiting);
  void send_deletes(Waiting<DeleteTopic, ControlResult> waiting);

  io::Executor& executor_;
  const std::shared_ptr<io::RpcClient> client_;
  std::vector<BrokerSeen> brokers_;
  std::optional<base::Instant> brokers_at_;
  Gather<std::string, Described> describes_;
  Gather<CreateTopic, ControlResult> creates_;
  Gather<AlterTopicConfigs, ControlResult> configs_;
  Gather<CreatePartitions, ControlResult> partitions_;
  Gather<DeleteTopic, ControlResult> deletes_;
};

}  // namespace kube
