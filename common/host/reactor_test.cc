#include "common/host/reactor.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "common/base/random.h"
#include "common/host/posix_disk.h"
#include "common/host/reactor_pool.h"
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

}  // namespace
}  // namespace host
