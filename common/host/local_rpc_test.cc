#include "common/host/local_rpc.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/host/socket_client_test.h"

namespace host {
namespace {

using namespace std::chrono_literals;

// A server and a client on reactors of their own.
class LocalRpcTest : public testing::Test {
 protected:
  void start(LocalRpcLimits limits = {}) {
    rpc_ = std::make_unique<LocalRpc>(server_.reactor, limits);
    client_ = rpc_->client(client_thread_.reactor);
  }
  void run() {
    server_.start();
    client_thread_.start();
  }
  void TearDown() override {
    if (client_) client_thread_.on_reactor([&] { client_.reset(); });
    if (rpc_) server_.on_reactor([&] { rpc_.reset(); });
  }
  io::IoResult<std::string> call(const std::string& method, const std::string& request,
                                 base::Duration timeout = 10s) {
    std::promise<io::IoResult<std::string>> answer;
    client_thread_.reactor.post([&] {
      client_->call(method, request, timeout, [&](io::IoResult<std::string> result) {
        EXPECT_TRUE(client_thread_.reactor.here());
        answer.set_value(std::move(result));
      });
    });
    return answer.get_future().get();
  }

  ReactorThread server_;
  ReactorThread client_thread_;
  std::unique_ptr<LocalRpc> rpc_;
  std::unique_ptr<io::RpcClient> client_;
};

// Goal: replies, errors of the service, unknown methods, silence. Method: one call each.
TEST_F(LocalRpcTest, AnswersCalls) {
  start();
  rpc_->server().serve("A/Echo", [&](std::string request, io::RpcReply reply) {
    EXPECT_TRUE(server_.reactor.here());
    reply("echo " + request);
  });
  rpc_->server().serve(
      "A/Fail", [](std::string, io::RpcReply reply) { reply(io::io_failure(EBUSY, "not now")); });
  std::vector<io::RpcReply> kept;
  rpc_->server().serve("A/Silent",
                       [&](std::string, io::RpcReply reply) { kept.push_back(std::move(reply)); });
  run();
  EXPECT_EQ(*call("A/Echo", "hi"), "echo hi");
  EXPECT_EQ(call("A/Fail", "").error().code, EBUSY);
  EXPECT_EQ(call("A/None", "").error().code, ENOSYS);
  EXPECT_EQ(call("A/Silent", "", 5ms).error().code, ETIMEDOUT);
  server_.on_reactor([&] {
    for (auto& reply : kept) reply("too late");
  });
  EXPECT_EQ(*call("A/Echo", "still"), "echo still");
  server_.on_reactor([&] { rpc_.reset(); });
  EXPECT_EQ(call("A/Echo", "gone").error().code, ECONNREFUSED);
}

// Goal: open calls are bounded. Method: a limit of two, a service that keeps silent.
TEST_F(LocalRpcTest, RefusesTooManyOpenCalls) {
  start({.calls_open_max = 2});
  std::vector<io::RpcReply> kept;
  rpc_->server().serve("A/Silent",
                       [&](std::string, io::RpcReply reply) { kept.push_back(std::move(reply)); });
  run();
  client_thread_.on_reactor([&] {
    for (int i = 0; i < 2; ++i) client_->call("A/Silent", "", 1h, [](auto) {});
  });
  EXPECT_EQ(call("A/Silent", "").error().code, EAGAIN);
  server_.on_reactor([] {});  // the silent calls have arrived
}

// Goal: messages of a stream come in order, and the service learns that the subscriber left.
// Method: 1,000 numbered messages, then the stream is destroyed.
TEST_F(LocalRpcTest, StreamsInOrder) {
  start();
  std::shared_ptr<io::RpcSink> sink;
  std::promise<void> gone;
  rpc_->server().serve_stream("A/Watch", [&](std::string request, std::shared_ptr<io::RpcSink> s) {
    EXPECT_EQ(request, "from 0");
    sink = std::move(s);
    sink->on_gone = [&] { gone.set_value(); };
    for (int i = 0; i < 1'000; ++i) sink->send(std::to_string(i));
  });
  run();
  int next = 0;
  std::promise<void> all;
  std::unique_ptr<io::RpcStream> stream;
  client_thread_.on_reactor([&] {
    stream = client_->subscribe("A/Watch", "from 0",
                                {.on_message =
                                     [&](std::string message) {
                                       EXPECT_EQ(message, std::to_string(next++));
                                       if (next == 1'000) all.set_value();
                                     },
                                 .on_broken = [](io::IoError) { FAIL(); }});
  });
  all.get_future().get();
  client_thread_.on_reactor([&] { stream.reset(); });
  gone.get_future().get();
  server_.on_reactor([&] {
    sink->send("nobody listens");
    sink.reset();
  });
}

// Goal: a stream says once why it ended. Method: a subscriber that does not keep up, a service that
// drops its sink, a method that nobody serves, a server that ends.
TEST_F(LocalRpcTest, BrokenStreamsSayWhy) {
  start({.stream_messages_max = 10});
  std::vector<std::shared_ptr<io::RpcSink>> sinks;
  rpc_->server().serve_stream("A/Flood", [&](std::string, std::shared_ptr<io::RpcSink> sink) {
    sinks.push_back(sink);
    for (int i = 0; i < 100; ++i) sink->send("x");
  });
  rpc_->server().serve_stream("A/Drop", [](std::string, std::shared_ptr<io::RpcSink>) {});
  rpc_->server().serve_stream("A/Keep", [&](std::string, std::shared_ptr<io::RpcSink> sink) {
    sinks.push_back(std::move(sink));
  });
  run();
  const auto ends = [&](const std::string& method, std::function<void()> meanwhile) {
    std::promise<int> code;
    std::unique_ptr<io::RpcStream> stream;
    client_thread_.on_reactor([&] {
      stream = client_->subscribe(
          method, "",
          {.on_message = [](std::string) {},
           .on_broken = [&](const io::IoError& error) { code.set_value(error.code); }});
      // The flood must find the client busy.
      if (method == "A/Flood") server_.on_reactor([] {});
    });
    if (meanwhile) meanwhile();
    const int result = code.get_future().get();
    client_thread_.on_reactor([&] { stream.reset(); });
    return result;
  };
  EXPECT_EQ(ends("A/Flood", nullptr), EOVERFLOW);
  EXPECT_EQ(ends("A/Drop", nullptr), ECONNRESET);
  EXPECT_EQ(ends("A/None", nullptr), ENOSYS);
  EXPECT_EQ(ends("A/Keep", [&] { server_.on_reactor([&] { rpc_.reset(); }); }), ECONNRESET);
  EXPECT_EQ(ends("A/Keep", nullptr), ECONNREFUSED);
  server_.on_reactor([&] { sinks.clear(); });
}

}  // namespace
}  // namespace host
