// One thread that owns sockets and timers and runs everything of its connections to completion:
// io::Executor and io::Net over epoll. One turn: wait; receive from each ready socket and hand over
// what came in one on_data; timers; posted work; then one gathered send per connection that queued
// something. Why epoll and not Asio, and the costs: docs/decisions/0003-reactor.md.
//
// Threads: post(), blocking(), stop() and the counters from any; before run() the thread that made
// the reactor may also listen(), set timers and watch(); everything else on the reactor's thread.
//
// Memory: an idle connection has no buffer. Bytes are received into one chunk per reactor; a
// connection keeps a chunk (or, for what is longer than a chunk, a buffer that doubles with what
// has really arrived, up to bytes_wanted()) only while a long frame is incomplete.
//
// Slow readers: above queue_high_bytes of queued output a connection is not read from until it has
// drained below queue_low_bytes; input that was already received is handed over again then.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/diag.h"
#include "common/base/histogram.h"
#include "common/host/blocking_pool.h"
#include "common/io/executor.h"
#include "common/io/net.h"

namespace host {

struct ReactorOptions {
  // Per connection and turn, for fairness between connections.
  std::size_t receive_bytes_per_turn = 1 << 20;
  std::size_t send_bytes_per_turn = 1 << 20;
  std::uint64_t queue_high_bytes = 8 << 20;
  std::uint64_t queue_low_bytes = 2 << 20;
  // Of all connections together; beyond it a connection that needs more is closed and logged.
  std::uint64_t receive_buffer_bytes_max = 512ULL << 20;
  // A longer frame is never waited for: the connection is closed and logged.
  std::size_t frame_bytes_max = 256 << 20;
  std::size_t connections_max = 1'000'000;  // beyond it new ones are closed at once
  int backlog = 4096;
  int cpu = -1;                // the thread pins itself to it; -1: not pinned
  base::Diag* diag = nullptr;  // outlives the reactor; null: silent
};

// Written by the reactor's thread, read by any.
struct ReactorStats {
  base::Counter turns;
  base::Counter posts_from_outside;
  base::Counter bytes_received;
  base::Counter bytes_sent;
  base::Counter connections_accepted;
  base::Counter connections_refused;
  base::Counter connections_closed;
  base::Counter accept_pauses;  // no descriptor left
  base::Histogram turn_ns;      // busy part of a turn
};

class ReactorCore;

class Reactor final : public io::Executor, public io::Net {
 public:
  explicit Reactor(BlockingPool& pool, ReactorOptions options = {});
  ~Reactor() override;  // after run() has returned (or was never called)

  // io::Executor
  void post(Work work) override;
  void blocking(Work work, Work done) override;
  base::Instant now() const override;
  base::TimerWheel& timers() override;
  bool here() const override;

  // io::Net. The address may be a name or a number, IPv4 or IPv6; "" and "0.0.0.0" mean every
  // interface.
  io::IoResult<io::Address> listen(const io::Address& address, Accept accept) override;
  void stop_listening() override;
  void connect(const io::Address& address, Connected done) override;

  // Serves until stop(). At the end sends what is queued as far as the sockets take it and closes
  // every connection.
  void run();
  void stop();

  // Who gets a fresh socket. Default: this reactor, with the listener's Accept.
  using Distribute = std::function<void(int socket)>;
  io::IoResult<io::Address> listen(const io::Address& address, Distribute distribute);
  // Takes a connected socket; `accept` is called on the reactor's thread. Any thread.
  void adopt(int socket, Accept accept);

  // Calls `readable` whenever `descriptor` has something to read, until unwatch(). Not owned.
  void watch(int descriptor, std::function<void()> readable);
  void unwatch(int descriptor);

  // Open or given to adopt(). Any thread.
  std::size_t connection_count() const;
  const ReactorStats& stats() const;  // any thread

 private:
  std::unique_ptr<ReactorCore> core_;
};

}  // namespace host
