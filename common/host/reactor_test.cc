#include "common/host/reactor.h"

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
#include "common/host/reactor_pool.h"
#include "common/host/receive_buffer.h"
#include "common/host/signals.h"
#include "common/host/socket_client_test.h"

namespace host {
namespace {

using namespace std::chrono_literals;

std::string pattern(std::size_t size, std::uint64_t seed) {
  base::Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

// Goal: bytes come back whole, in order, however they are cut. Method: frames of many sizes around
// the sizes of the receive buffers, sent in pieces of random length by a thread, read back.
TEST(Reactor, EchoesFramesSentInPieces) {
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();

  std::string all;
  for (const std::size_t size : {0UL, 1UL, 100UL, 65'531UL, 65'532UL, 65'533UL, 70'000UL,
                                 1'000'000UL, 1'179'644UL, 1'179'645UL, 3'000'000UL, 10UL}) {
    all += frame(pattern(size, size));
  }
  SocketClient client(address);
  ASSERT_TRUE(client.connected());
  std::thread sender([&] {
    base::Random random(7);
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t piece = std::min(all.size() - at, 1 + random.below(200'000));
      ASSERT_TRUE(client.send(std::string_view(all).substr(at, piece)));
      at += piece;
    }
  });
  const std::string back = client.receive(all.size());
  sender.join();
  EXPECT_TRUE(back == all);
}

// Goal: many small frames in one write are answered by few sends. Method: 10,000 frames at once;
// the answers are complete and the reactor needed far fewer turns than frames.
TEST(Reactor, AnswersPipelinedFramesInFewTurns) {
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();
  std::string all;
  for (int i = 0; i < 10'000; ++i) all += frame("request " + std::to_string(i));
  SocketClient client(address);
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  EXPECT_TRUE(client.receive(all.size()) == all);
  sender.join();
  server.stop();
  EXPECT_LT(server.reactor.stats().turns.value(), 1'000u);
  EXPECT_EQ(server.reactor.stats().bytes_received.value(), all.size());
  EXPECT_EQ(server.reactor.stats().bytes_sent.value(), all.size());
}

// Goal: a client that does not read cannot make the server queue without end, and gets everything
// once it reads. Method: each tiny frame asks for 64 KiB back; the client sends 4,000 of them (256
// MiB) before it reads; the peak of the queue is observed in the handler.
TEST(Reactor, BoundsTheQueueOfASlowReader) {
  ReactorOptions options;
  options.queue_high_bytes = 1 << 20;
  options.queue_low_bytes = 256 << 10;
  options.receive_bytes_per_turn = 4 << 10;
  ReactorThread server(options);
  std::atomic<std::uint64_t> peak{0};
  const auto address = server.listen(frames([&](io::Connection& connection, base::BytesView) {
    connection.send(base::Bytes(64 << 10));
    peak = std::max(peak.load(), connection.queued_bytes());
  }));
  server.start();
  SocketClient client(address);
  std::string all;
  for (int i = 0; i < 4'000; ++i) all += frame("");
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  sender.join();  // 16 KB fit into the socket buffers: the client has sent all, and read nothing
  EXPECT_EQ(client.receive(4'000ULL * (64 << 10)).size(), 4'000ULL * (64 << 10));
  // At most the mark and what one turn's input (1,024 frames) asks for.
  EXPECT_LE(peak.load(), (1ULL << 20) + 1'025ULL * (64 << 10));
}

// Goal: file slices and bytes leave in order, by sendfile. Method: a file of random bytes; answers
// that alternate heads and slices; compared with the file.
TEST(Reactor, SendsSlicesBetweenBytes) {
  PosixDisk disk;
  const std::string path = testing::TempDir() + "reactor_slices";
  const std::string content = pattern(3'000'000, 3);
  auto file = disk.open(path, io::OpenMode::kCreateEmpty);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->write_at(base::as_bytes(content), 0).has_value());
  ReactorThread server;
  const auto address = server.listen(frames([&](io::Connection& connection, base::BytesView body) {
    const auto head = [&](std::string_view text) {
      connection.send(base::Bytes(base::as_bytes(text).begin(), base::as_bytes(text).end()));
    };
    head(base::as_text(body));
    connection.send(io::FileSlice{*file, 0, 10});
    head("|");
    connection.send(io::FileSlice{*file, 1'000, 2'500'000});
    connection.send(io::FileSlice{*file, 2'999'999, 1});
    head("end");
  }));
  server.start();
  const std::string expected = "x" + content.substr(0, 10) + "|" +
                               content.substr(1'000, 2'500'000) + content.substr(2'999'999) + "end";
  SocketClient client(address);
  for (int i = 0; i < 3; ++i) {
    client.send(frame("x"));
    EXPECT_TRUE(client.receive(expected.size()) == expected);
  }
  EXPECT_TRUE(disk.remove(path).has_value());
}

// Goal: a slice that the file no longer has ends the connection with a reason. Method: a slice past
// the end.
TEST(Reactor, EndsTheConnectionWhenASliceIsGone) {
  PosixDisk disk;
  const std::string path = testing::TempDir() + "reactor_short";
  auto file = disk.open(path, io::OpenMode::kCreateEmpty);
  ASSERT_TRUE((*file)->write_at(base::as_bytes("abc"), 0).has_value());
  std::promise<std::string> closed;
  ReactorThread server;
  const auto address = server.listen([&](std::shared_ptr<io::Connection> connection) {
    auto handler = std::make_shared<FrameHandler>(
        connection,
        [&](io::Connection& out, base::BytesView) { out.send(io::FileSlice{*file, 0, 10}); });
    handler->on_closed_call = [&](const std::string& error) { closed.set_value(error); };
    return handler;
  });
  server.start();
  SocketClient client(address);
  client.send(frame("x"));
  EXPECT_EQ(client.receive(10), "abc");
  EXPECT_THAT(closed.get_future().get(), testing::HasSubstr("ends before"));
  EXPECT_TRUE(disk.remove(path).has_value());
}

// Goal: idle connections cost next to nothing, and other connections still work. Method: 2,000
// connections that each had one request and one incomplete frame that ended; the growth of the
// process's memory in use is bounded per connection.
TEST(Reactor, IdleConnectionsHoldNoBuffers) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t kConnections = 2'000;
  if (limit.rlim_cur < 2 * kConnections + 100) GTEST_SKIP() << "too few descriptors allowed";
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();
  const std::string request = frame(pattern(5'000, 5));
  std::vector<std::unique_ptr<SocketClient>> clients;
  const auto use = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      clients.push_back(std::make_unique<SocketClient>(address));
      ASSERT_TRUE(clients.back()->send(request));
      ASSERT_EQ(clients.back()->receive(request.size()).size(), request.size());
    }
  };
  clients.reserve(kConnections);
  use(0, 100);  // warms the allocator
  const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  use(100, kConnections);
  const std::size_t grown = mallinfo2().uordblks + mallinfo2().hblkhd - before;
  EXPECT_EQ(server.reactor.connection_count(), kConnections);
  EXPECT_LT(grown / (kConnections - 100), 1'000u);  // both ends, handler and table entry
}

// Goal: a peer that vanishes ends its connection with the reason; one that closes ends it without.
// Method: a reset and an orderly close; what on_closed was told.
TEST(Reactor, TellsResetFromAnOrderlyEnd) {
  std::promise<std::string> reasons[2];
  int next = 0;
  ReactorThread server;
  const auto address = server.listen([&](std::shared_ptr<io::Connection> connection) {
    auto handler = std::make_shared<FrameHandler>(connection, echo);
    handler->on_closed_call = [&, i = next++](const std::string& error) {
      reasons[i].set_value(error);
    };
    return handler;
  });
  server.start();
  SocketClient orderly(address);
  orderly.send(frame("a"));
  orderly.receive(5);
  SocketClient rude(address);
  rude.send(frame("b"));
  rude.receive(5);
  orderly.close();
  rude.reset();
  EXPECT_EQ(reasons[0].get_future().get(), "");
  EXPECT_THAT(reasons[1].get_future().get(), testing::HasSubstr("reset"));
  server.on_reactor([] {});
  EXPECT_EQ(server.reactor.connection_count(), 0u);
}

// Goal: a peer that ends its sending side still gets what it asked for. Method: a large answer, the
// client shuts down its side before it reads.
TEST(Reactor, AnswersAfterHalfClose) {
  ReactorThread server;
  const auto address = server.listen(frames(echo));
  server.start();
  const std::string request = frame(pattern(4'000'000, 1));
  SocketClient client(address);
  std::thread sender([&] {
    EXPECT_TRUE(client.send(request));
    client.end_sending();
  });
  EXPECT_TRUE(client.receive(request.size()) == request);
  EXPECT_TRUE(client.ended());
  sender.join();
}

// Goal: close after a flush delivers what was queued, even with input left unread. Method: the
// handler answers and closes at the first of many frames.
TEST(Reactor, CloseAfterFlushDeliversTheAnswer) {
  ReactorThread server;
  const auto address = server.listen(frames([](io::Connection& connection, base::BytesView body) {
    echo(connection, body);
    connection.close(true);
  }));
  server.start();
  const std::string request = frame(pattern(20'000, 1));
  for (int i = 0; i < 20; ++i) {
    SocketClient client(address);
    ASSERT_TRUE(client.send(request + request));
    EXPECT_TRUE(client.receive(request.size()) == request);
    EXPECT_TRUE(client.ended());
  }
}

// Goal: paused input waits, complete frames that were already received come again on resume.
// Method: the handler pauses at each frame and resumes from a posted call; all frames arrive, one
// per hand-over, and none while paused.
TEST(Reactor, ResumeHandsOverWhatHadArrived) {
  struct OneByOne : io::ConnectionHandler {
    std::shared_ptr<io::Connection> connection;
    Reactor& reactor;
    bool paused = false;
    OneByOne(std::shared_ptr<io::Connection> c, Reactor& r)
        : connection(std::move(c)), reactor(r) {}
    std::size_t on_data(base::MutableBytes in) override {
      EXPECT_FALSE(paused);
      if (in.size() < bytes_wanted()) return 0;
      echo(*connection, base::as_bytes("got"));
      paused = true;
      connection->pause_reading();
      reactor.post([this, alive = connection] {
        paused = false;
        alive->resume_reading();
      });
      return bytes_wanted();
    }
    std::size_t bytes_wanted() const override { return 5; }
    void on_closed(const std::string&) override { connection = nullptr; }
  };
  ReactorThread server;
  const auto address = server.listen([&](std::shared_ptr<io::Connection> connection) {
    return std::make_shared<OneByOne>(std::move(connection), server.reactor);
  });
  server.start();
  SocketClient client(address);
  std::string requests;
  for (int i = 0; i < 1'000; ++i) requests += frame("x");
  ASSERT_TRUE(client.send(requests));
  EXPECT_EQ(client.receive(7'000).size(), 7'000u);
  client.close();
}

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
