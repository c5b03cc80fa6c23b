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
}  // namespace
}  // namespace host
