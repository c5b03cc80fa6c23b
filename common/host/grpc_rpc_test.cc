// Over real loopback sockets, each end on a reactor of its own.
#include "common/host/grpc_rpc.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/host/socket_client_test.h"

namespace host {
namespace {

using namespace std::chrono_literals;
using Result = io::IoResult<std::string>;

class GrpcRpcTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.start();
    client_thread_.start();
    rpc_ = std::make_unique<GrpcServer>(server_.reactor, limits_);
  }
  void listen() {
    auto bound = rpc_->listen({"127.0.0.1", 0});
    ASSERT_TRUE(bound.has_value()) << bound.error().what;
    address_ = *bound;
    connect();
  }
  void connect() {
    client_thread_.on_reactor(
        [&] { client_ = grpc_client(client_thread_.reactor, address_, limits_); });
  }
  void TearDown() override {
    client_thread_.on_reactor([&] {
      stream_.reset();
      client_.reset();
    });
    rpc_.reset();
  }
  Result call(const std::string& method, const std::string& request, base::Duration timeout = 10s) {
    std::promise<Result> answer;
    client_thread_.reactor.post([&] {
      client_->call(method, request, timeout, [&](Result result) {
        EXPECT_TRUE(client_thread_.reactor.here());
        answer.set_value(std::move(result));
      });
    });
    return answer.get_future().get();
  }
  void subscribe(io::RpcStreamHandler handler) {
    client_thread_.on_reactor(
        [&] { stream_ = client_->subscribe("A/Watch", "hello", std::move(handler)); });
  }
  void serve_watch() {
    rpc_->server().serve_stream("A/Watch",
                                [&](const std::string& request, std::shared_ptr<io::RpcSink> sink) {
                                  EXPECT_TRUE(server_.reactor.here());
                                  EXPECT_EQ(request, "hello");
                                  sink->on_gone = [&] { gone_.set_value(); };
                                  sink_ = std::move(sink);
                                  opened_.set_value();
                                });
  }

  GrpcLimits limits_;
  ReactorThread server_;
  ReactorThread client_thread_;
  io::Address address_;
  std::unique_ptr<GrpcServer> rpc_;
  std::unique_ptr<io::RpcClient> client_;
  std::unique_ptr<io::RpcStream> stream_;
  std::shared_ptr<io::RpcSink> sink_;
  std::promise<void> opened_;
  std::promise<void> gone_;
};

// Goal: replies, errors of the service, unknown methods, silence. Method: one call each.
TEST_F(GrpcRpcTest, AnswersCalls) {
  rpc_->server().serve("A/Echo", [&](const std::string& request, io::RpcReply reply) {
    EXPECT_TRUE(server_.reactor.here());
    reply("echo " + request);
  });
  rpc_->server().serve("A/Fail", [](const std::string&, io::RpcReply reply) {
    reply(io::io_failure(EBUSY, "not now"));
  });
  std::vector<io::RpcReply> kept;
  rpc_->server().serve("A/Silent", [&](const std::string&, io::RpcReply reply) {
    kept.push_back(std::move(reply));
  });
  listen();
  EXPECT_EQ(call("A/Echo", "x").value(), "echo x");
  EXPECT_EQ(call("A/Echo", "").value(), "echo ");
  const std::string large(5'000'000, 'l');
  EXPECT_EQ(call("A/Echo", large).value(), "echo " + large);
  const Result failed = call("A/Fail", "");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EBUSY);
  EXPECT_EQ(failed.error().what, "not now");
  EXPECT_EQ(call("A/Nothing", "").error().code, ENOSYS);
  EXPECT_EQ(call("A/Silent", "", 50ms).error().code, ETIMEDOUT);
}

// Goal: what never left is told from what broke under way, and a server that comes is found.
TEST_F(GrpcRpcTest, TellsRefusedFromBroken) {
  std::promise<void> asked;
  io::RpcReply kept;
  rpc_->server().serve("A/Silent", [&](const std::string&, io::RpcReply reply) {
    kept = std::move(reply);
    asked.set_value();
  });
  rpc_->server().serve("A/Echo", [](std::string request, io::RpcReply reply) { reply(request); });
  listen();
  auto broken = std::async([&] { return call("A/Silent", ""); });
  asked.get_future().get();
  rpc_->stop();
  EXPECT_EQ(broken.get().error().code, ECONNRESET);
  const Result refused = call("A/Echo", "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ECONNREFUSED) << refused.error().what;
  EXPECT_NE(refused.error().what.find(address_.to_string()), std::string::npos);

  rpc_ = std::make_unique<GrpcServer>(server_.reactor, limits_);
  rpc_->server().serve("A/Echo", [](std::string request, io::RpcReply reply) { reply(request); });
  ASSERT_TRUE(rpc_->listen(address_).has_value());
  Result again = refused;
  for (int i = 0; i < 10'000 && !again; ++i) again = call("A/Echo", "back");
  EXPECT_EQ(again.value(), "back");
}

// Goal: messages arrive in order and all, and the end behind them. Method: far more than one
// window, then the service lets go of the sink.
TEST_F(GrpcRpcTest, StreamsInOrder) {
  serve_watch();
  listen();
  std::vector<int> got;
  std::promise<io::IoError> broken;
  subscribe({[&](std::string message) { got.push_back(std::stoi(message)); },
             [&](io::IoError error) { broken.set_value(std::move(error)); }});
  opened_.get_future().get();
  server_.on_reactor([&] {
    sink_->on_gone = nullptr;
    for (int i = 0; i < 5000; ++i) sink_->send(std::to_string(i));
    sink_.reset();
  });
  EXPECT_EQ(broken.get_future().get().code, ECONNRESET);
  ASSERT_EQ(got.size(), 5000u);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

// Goal: each side learns at once that the other is gone.
TEST_F(GrpcRpcTest, BothSidesLearnOfTheEnd) {
  serve_watch();
  listen();
  std::promise<io::IoError> broken;
  const io::RpcStreamHandler handler{
      [](std::string) {}, [&](io::IoError error) { broken.set_value(std::move(error)); }};
  subscribe(handler);
  opened_.get_future().get();
  client_thread_.on_reactor([&] { stream_.reset(); });
  gone_.get_future().get();

  opened_ = {};
  subscribe(handler);
  opened_.get_future().get();
  server_.on_reactor([&] { sink_->on_gone = nullptr; });
  rpc_->stop();
  EXPECT_EQ(broken.get_future().get().code, ECONNRESET);
  server_.on_reactor([&] { sink_->send("nobody"); });
}

// Goal: a subscriber that reads nothing is broken off; its server holds no more than the bound.
// Method: block its executor while the service sends.
TEST_F(GrpcRpcTest, BreaksSlowSubscriber) {
  rpc_.reset();
  limits_.stream_bytes_max = 1 << 20;
  rpc_ = std::make_unique<GrpcServer>(server_.reactor, limits_);
  serve_watch();
  listen();
  std::promise<io::IoError> broken;
  subscribe({[](std::string) {}, [&](io::IoError error) { broken.set_value(std::move(error)); }});
  opened_.get_future().get();
  std::promise<void> resume;
  client_thread_.reactor.post([&, wait = resume.get_future().share()] { wait.get(); });
  bool gone = false;
  server_.on_reactor([&] {
    sink_->on_gone = [&] { gone = true; };
    const std::string large(100'000, 'x');
    for (int i = 0; i < 2000 && !gone; ++i) sink_->send(large);
  });
  resume.set_value();
  EXPECT_TRUE(gone);
  EXPECT_EQ(broken.get_future().get().code, EOVERFLOW);
}

// Goal: what is too large is refused by name, in either direction, and the connection goes on.
TEST_F(GrpcRpcTest, BoundsMessages) {
  rpc_.reset();
  limits_.message_bytes_max = 10'000;
  rpc_ = std::make_unique<GrpcServer>(server_.reactor, limits_);
  rpc_->server().serve("A/Grow", [](const std::string& request, io::RpcReply reply) {
    reply(std::string(std::stoul(request), 'x'));
  });
  listen();
  EXPECT_EQ(call("A/Grow", std::string(10'001, '0')).error().code, EMSGSIZE);
  EXPECT_EQ(call("A/Grow", "10001").error().code, EMSGSIZE);
  EXPECT_EQ(call("A/Grow", "9000")->size(), 9000u);
}

// Goal: an address that is taken is refused with its name. Two servers must never share a port.
TEST_F(GrpcRpcTest, RefusesTakenAddress) {
  listen();
  GrpcServer other(server_.reactor);
  const auto bound = other.listen(address_);
  ASSERT_FALSE(bound.has_value());
  EXPECT_EQ(bound.error().code, EADDRINUSE) << bound.error().what;
  EXPECT_NE(bound.error().what.find(address_.to_string()), std::string::npos);
}

// Goal: a client may end with calls and streams open; nothing is called afterwards.
TEST_F(GrpcRpcTest, ClientEndsWithOpenCalls) {
  std::vector<io::RpcReply> kept;
  std::promise<void> asked;
  rpc_->server().serve("A/Silent", [&](const std::string&, io::RpcReply reply) {
    kept.push_back(std::move(reply));
    asked.set_value();
  });
  serve_watch();
  listen();
  client_thread_.on_reactor([&] {
    client_->call("A/Silent", "", 10s, [](Result) { ADD_FAILURE(); });
    stream_ = client_->subscribe(
        "A/Watch", "hello",
        {[](std::string) { ADD_FAILURE(); }, [](io::IoError) { ADD_FAILURE(); }});
  });
  asked.get_future().get();
  opened_.get_future().get();
  client_thread_.on_reactor([&] {
    stream_.reset();
    client_.reset();
  });
  gone_.get_future().get();
  server_.on_reactor([&] { kept.front()("late"); });
}

}  // namespace
}  // namespace host
