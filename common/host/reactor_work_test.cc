#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "common/base/random.h"
#include "common/host/posix_disk.h"
#include "common/host/reactor.h"
#include "common/host/reactor_pool.h"
#include "common/host/receive_buffer.h"
#include "common/host/signals.h"
#include "common/host/socket_client_test.h"

namespace host {
namespace {

using namespace std::chrono_literals;

// Goal: bounds on what is received. Method: a frame that announces more than is allowed, and many
// connections that each announce much and send little: memory follows what was sent; past the
// reactor's own limit connections are closed with the reason.
TEST(Reactor, BoundsReceiveMemory) {
  ReactorOptions options;
  options.frame_bytes_max = 10 << 20;
  options.receive_buffer_bytes_max = 4 * ReceivePool::kChunkBytes;
  std::mutex mutex;
  std::vector<std::string> reasons;
  ReactorThread server(options);
  const auto address = server.listen([&](std::shared_ptr<io::Connection> connection) {
    auto handler = std::make_shared<FrameHandler>(connection, echo);
    handler->on_closed_call = [&](const std::string& error) {
      const std::lock_guard lock(mutex);
      reasons.push_back(error);
    };
    return handler;
  });
  server.start();
  const auto announce = [](std::int32_t size) {
    std::string head(4, '\0');
    base::store_be(reinterpret_cast<std::byte*>(head.data()), size);
    return head;
  };
  SocketClient greedy(address);
  greedy.send(announce(11 << 20));
  EXPECT_TRUE(greedy.ended());
  server.on_reactor([] {});  // the socket ends just before its handler hears of it
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(reasons.size(), 1u);
    EXPECT_THAT(reasons[0], testing::HasSubstr("frame longer than"));
  }
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<SocketClient>(address));
    clients.back()->send(announce(1'000'000));
  }
  SocketClient small(address);  // what fits needs none of the memory that is gone
  small.send(frame("still served"));
  EXPECT_EQ(small.receive(16), frame("still served"));
  SocketClient fifth(address);
  fifth.send(announce(1'000'000));
  EXPECT_TRUE(fifth.ended());
  server.on_reactor([] {});
  const std::lock_guard lock(mutex);
  EXPECT_THAT(reasons.back(), testing::HasSubstr("no receive memory left"));
}

// Goal: timers fire in order and never early. Method: timers set on the reactor, the instants read
// in the calls.
TEST(Reactor, TimersFireInOrder) {
  ReactorThread server;
  server.start();
  std::vector<int> fired;
  std::latch done(3);
  base::Timer timers[3];
  server.on_reactor([&] {
    const auto start = server.reactor.now();
    for (const int ms : {5, 1, 20}) {
      base::Timer& timer = timers[ms == 5 ? 0 : ms == 1 ? 1 : 2];
      timer.on_fire([&, start, ms] {
        EXPECT_GE(server.reactor.now() - start, std::chrono::milliseconds(ms));
        fired.push_back(ms);
        done.count_down();
      });
      server.reactor.timers().set(timer, start + std::chrono::milliseconds(ms));
    }
  });
  done.wait();
  EXPECT_EQ(fired, (std::vector<int>{1, 5, 20}));
}

// Goal: posts from threads all run, each thread's in its order, on the reactor. Method: four
// threads, 10,000 posts each.
TEST(Reactor, RunsPostsOfEachThreadInOrder) {
  ReactorThread server;
  server.start();
  constexpr int kPosts = 10'000;
  std::array<int, 4> next{};
  std::latch done(4 * kPosts);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < next.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        server.reactor.post([&, t, i] {
          EXPECT_TRUE(server.reactor.here());
          EXPECT_EQ(next[t]++, i);
          done.count_down();
        });
      }
    });
  }
  done.wait();
  for (auto& thread : threads) thread.join();
}

// Goal: blocking work runs elsewhere, its end here; more work than threads and queue still all
// runs. Method: one thread, a queue of two, twenty pieces of work.
TEST(Reactor, BlockingWorkComesBack) {
  BlockingPool pool({.threads_max = 1, .queued_max = 2});
  Reactor reactor(pool);
  EXPECT_EQ(pool.thread_count(), 0u);
  std::thread thread([&] { reactor.run(); });
  std::latch done(20);
  std::atomic<int> worked{0};
  reactor.post([&] {
    for (int i = 0; i < 20; ++i) {
      reactor.blocking([&] { ++worked; },
                       [&] {
                         EXPECT_TRUE(reactor.here());
                         done.count_down();
                       });
    }
  });
  done.wait();
  EXPECT_EQ(worked, 20);
  EXPECT_EQ(pool.thread_count(), 1u);
  reactor.stop();
  thread.join();
}

// Goal: outgoing connections, and their failures. Method: connect to a server by number and by
// name, then to a port where nobody listens.
TEST(Reactor, ConnectsOrSaysWhyNot) {
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();
  for (const char* host : {"127.0.0.1", "localhost"}) {
    std::promise<std::string> answer;
    server.reactor.connect({host, address.port},
                           [&](io::IoResult<std::shared_ptr<io::Connection>> connection)
                               -> std::shared_ptr<io::ConnectionHandler> {
                             EXPECT_TRUE(connection.has_value());
                             echo(**connection, base::as_bytes("hello"));
                             return std::make_shared<FrameHandler>(
                                 *connection, [&](io::Connection& self, base::BytesView body) {
                                   answer.set_value(std::string(base::as_text(body)));
                                   self.close();
                                 });
                           });
    EXPECT_EQ(answer.get_future().get(), "hello");
  }
  const auto nobody = [] {
    const auto socket = listening_socket({"127.0.0.1", 0}, 1);
    const auto bound = local_address(*socket);
    close(*socket);
    return bound;
  }();
  std::promise<io::IoError> error;
  server.reactor.connect(nobody, [&](io::IoResult<std::shared_ptr<io::Connection>> connection) {
    error.set_value(connection.error());
    return nullptr;
  });
  const auto refused = error.get_future().get();
  EXPECT_EQ(refused.code, ECONNREFUSED);
  EXPECT_THAT(refused.what, testing::HasSubstr(nobody.to_string()));
}

// Goal: without descriptors accepting rests and goes on later; served connections do not notice.
// Method: the limit is lowered to what is open, a further client connects and is answered after the
// limit is raised again.
TEST(Reactor, SurvivesRunningOutOfDescriptors) {
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();
  SocketClient first(address);
  first.send(frame("a"));
  EXPECT_EQ(first.receive(5).size(), 5u);
  SocketClient second(address, 4096);
  second.send(frame("b"));
  EXPECT_EQ(second.receive(5).size(), 5u);
  Descriptor third(socket(AF_INET, SOCK_STREAM, 0));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = static_cast<rlim_t>(third.get() + 1);
  setrlimit(RLIMIT_NOFILE, &limit);
  const auto where = resolve(address, Resolve::kNumbersOnly);
  ASSERT_EQ(connect(third.get(), where->get(), where->length), 0);  // the backlog takes it
  while (server.reactor.stats().accept_pauses.value() == 0) std::this_thread::yield();
  first.send(frame("c"));
  EXPECT_EQ(first.receive(5), frame("c"));
  setrlimit(RLIMIT_NOFILE, &before);
  const std::string request = frame("d");
  ASSERT_EQ(::send(third.get(), request.data(), request.size(), 0), 5);
  char reply[5];
  EXPECT_EQ(recv(third.get(), reply, sizeof reply, MSG_WAITALL), 5);
}

// Goal: the pool shares connections between its reactors. Method: 10 clients stay connected to a
// pool of two; each reactor has five; stop closes all.
TEST(ReactorPool, SpreadsConnections) {
  ReactorPool pool({.reactors = 2, .reactor = {}, .blocking = {}});
  const auto address = pool.listen({"127.0.0.1", 0}, [&](std::size_t) { return frames(echo); });
  ASSERT_TRUE(address.has_value());
  pool.start();
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<SocketClient>(*address));
    clients.back()->send(frame("x"));
    EXPECT_EQ(clients.back()->receive(5), frame("x"));
  }
  EXPECT_EQ(pool[0].connection_count(), 5u);
  EXPECT_EQ(pool[1].connection_count(), 5u);
  pool.stop();
  for (const auto& client : clients) EXPECT_TRUE(client->ended());
}

// Goal: a signal is an event of the reactor, and a peer that is gone does not kill the process.
// Method: a child process that signals itself and writes to a broken pipe; its exit code.
TEST(Signals, ArriveOnTheReactor) {
  const pid_t child = fork();
  if (child == 0) {
    block_signals();
    ReactorThread server;
    std::promise<int> number;
    Signals signals(server.reactor, [&](int signal) { number.set_value(signal); });
    server.start();
    int ends[2];
    if (pipe(ends) != 0) _exit(1);
    close(ends[0]);
    if (write(ends[1], "x", 1) != -1 || errno != EPIPE) _exit(2);
    kill(getpid(), SIGTERM);
    if (number.get_future().get() != SIGTERM) _exit(3);
    server.stop();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Goal: pinned reactors work, even where pinning is refused. Method: a pool of three on whatever
// CPUs there are.
TEST(ReactorPool, MayPinItsReactors) {
  ReactorPool pool({.reactors = 3, .pin = true});
  const auto address = pool.listen({"127.0.0.1", 0}, [&](std::size_t) { return frames(echo); });
  pool.start();
  for (int i = 0; i < 3; ++i) {
    SocketClient client(*address);
    client.send(frame("x"));
    EXPECT_EQ(client.receive(5), frame("x"));
  }
}

}  // namespace
}  // namespace host
