// For tests: a plain blocking TCP client, and a reactor on a thread of its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <functional>
#include <future>
#include <latch>
#include <string>
#include <thread>

#include "common/base/bytes.h"
#include "common/host/descriptor.h"
#include "common/host/reactor.h"
#include "common/host/socket_address.h"

namespace host {

class SocketClient {
 public:
  explicit SocketClient(const io::Address& server, int receive_buffer = 0) {
    const auto where = resolve(server, Resolve::kNumbersOnly);
    socket_ = Descriptor(::socket(where->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    // A test that waits for what never comes fails instead of hanging.
    const timeval limit{20, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = connect(socket_.get(), where->get(), where->length) == 0;
  }

  bool connected() const { return connected_; }
  int get() const { return socket_.get(); }
  void close() { socket_.reset(); }
  void reset() {  // sends RST
    const linger hard{1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    socket_.reset();
  }
  void end_sending() { shutdown(socket_.get(), SHUT_WR); }

  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  // Up to `size` bytes; fewer when the server ended.
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t count = recv(socket_.get(), text.data() + got, size - got, 0);
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    text.resize(got);
    return text;
  }
  bool ended() {
    char byte;
    return recv(socket_.get(), &byte, 1, 0) == 0;
  }

 private:
  Descriptor socket_;
  bool connected_ = false;
};

class ReactorThread {
 public:
  explicit ReactorThread(ReactorOptions options = {}) : reactor(pool, options) {}
  ~ReactorThread() { stop(); }

  io::Address listen(io::Net::Accept accept) {
    const auto address = reactor.listen({"127.0.0.1", 0}, std::move(accept));
    EXPECT_TRUE(address.has_value());
    return *address;
  }
  void start() {
    thread_ = std::thread([this] { reactor.run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    reactor.stop();
    thread_.join();
    pool.stop();
  }
  // Runs on the reactor and waits.
  void on_reactor(std::function<void()> work) {
    std::latch done(1);
    reactor.post([&] {
      work();
      done.count_down();
    });
    done.wait();
  }

  BlockingPool pool;
  Reactor reactor;

 private:
  std::thread thread_;
};

// Frames of a 4-byte big-endian length and a body.
inline std::string frame(std::string_view body) {
  std::string text(4, '\0');
  base::store_be(reinterpret_cast<std::byte*>(text.data()), static_cast<std::int32_t>(body.size()));
  return text + std::string(body);
}

// Cuts frames and gives each body to `on_frame`.
class FrameHandler : public io::ConnectionHandler {
 public:
  using OnFrame = std::function<void(io::Connection&, base::BytesView)>;
  FrameHandler(std::shared_ptr<io::Connection> connection, OnFrame on_frame)
      : connection_(std::move(connection)), on_frame_(std::move(on_frame)) {}

  std::size_t on_data(base::MutableBytes in) override {
    std::size_t done = 0;
    wanted_ = 4;
    while (in.size() - done >= 4) {
      const auto size = static_cast<std::size_t>(base::load_be<std::int32_t>(in.data() + done));
      wanted_ = 4 + size;
      if (in.size() - done < wanted_) break;
      on_frame_(*connection_, in.subspan(done + 4, size));
      done += wanted_;
      wanted_ = 4;
    }
    return done;
  }
  std::size_t bytes_wanted() const override { return wanted_; }
  void on_closed(const std::string& error) override {
    if (on_closed_call) on_closed_call(error);
    connection_ = nullptr;
  }
  std::function<void(const std::string&)> on_closed_call;

 private:
  std::shared_ptr<io::Connection> connection_;
  OnFrame on_frame_;
  std::size_t wanted_ = 4;
};

inline void echo(io::Connection& connection, base::BytesView body) {
  base::Bytes reply(4 + body.size());
  base::store_be(reply.data(), static_cast<std::int32_t>(body.size()));
  if (!body.empty()) std::memcpy(reply.data() + 4, body.data(), body.size());
  connection.send(std::move(reply));
}

inline io::Net::Accept frames(FrameHandler::OnFrame on_frame) {
  return [on_frame](std::shared_ptr<io::Connection> connection) {
    return std::make_shared<FrameHandler>(std::move(connection), on_frame);
  };
}

}  // namespace host
