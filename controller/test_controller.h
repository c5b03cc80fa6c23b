// What the tests of the whole controller share: one on simulated seams, and calls to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "common/wire/error_code.h"
#include "controller/controller.h"
#include "controller/node/methods.h"
#include "proto/controller.pb.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"

namespace controller {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() {
    EXPECT_TRUE(disk.make_directories("/data").has_value());
    client = rpc.connect("client", "controller", client_executor);
  }
  ~ControllerTest() override { kill(); }

  // The result of start(), once it is known.
  std::optional<io::IoResult<void>> start(Config config = {}) {
    executor = std::make_unique<sim::SimExecutor>(world, "controller " + std::to_string(++lives));
    endpoint = rpc.serve("controller", *executor);
    controller = std::make_unique<Controller>(
        Seams{disk, *executor, clock, diag, *endpoint, base::Random(lives)}, std::move(config));
    auto result = std::make_shared<std::optional<io::IoResult<void>>>();
    controller->start("/data", [result](io::IoResult<void> done) { *result = std::move(done); });
    world.run_until([&] { return result->has_value(); }, seconds(5));
    return *result;
  }
  void kill() {
    if (!executor) return;
    executor->kill();
    controller = nullptr;
    endpoint = nullptr;
    executor = nullptr;
    disk.kill_process();
  }
  void stop() {
    bool stopped = false;
    controller->stop([&] { stopped = true; });
    ASSERT_TRUE(world.run_until([&] { return stopped; }, seconds(5)));
    kill();
  }

  template <class Reply, class Request>
  Reply call(const char* method, const Request& request) {
    std::optional<Reply> reply;
    client->call(method, request.SerializeAsString(), seconds(5),
                 [&](io::IoResult<std::string> bytes) {
                   reply.emplace();
                   ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
                   ASSERT_TRUE(reply->ParseFromString(*bytes));
                 });
    EXPECT_TRUE(world.run_until([&] { return reply.has_value(); }, seconds(10)));
    return reply.value_or(Reply());
  }
  proto::RegisterBrokerReply register_broker() {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(1);
    request.mutable_incarnation()->set_low(7);
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    return call<proto::RegisterBrokerReply>(methods::kRegisterBroker, request);
  }
  static proto::CreateTopicsRequest topic(const std::string& name, int partitions = 1) {
    proto::CreateTopicsRequest request;
    auto* each = request.add_topics();
    each->set_name(name);
    each->set_partitions(partitions);
    each->set_replication_factor(-1);
    return request;
  }
  proto::CreateTopicsReply create(const std::string& name, int partitions = 1) {
    return call<proto::CreateTopicsReply>(methods::kCreateTopics, topic(name, partitions));
  }

  sim::World world{1};
  sim::SimRpc rpc{world};
  sim::SimDisk disk{1};
  sim::SimClock clock{world};
  base::SilentDiag diag;
  sim::SimExecutor client_executor{world, "client"};
  std::unique_ptr<io::RpcClient> client;
  std::uint64_t lives = 0;
  std::unique_ptr<sim::SimExecutor> executor;
  std::unique_ptr<io::RpcServer> endpoint;
  std::unique_ptr<Controller> controller;
};

}  // namespace controller
