// The inside of a Reactor: its lists, queues and the turn. See reactor.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/host/descriptor.h"
#include "common/host/reactor.h"
#include "common/host/receive_buffer.h"
#include "common/host/tcp_connection.h"

namespace host {

class Listener;

// A descriptor of somebody else's.
class Watch final : public EventSource {
 public:
  explicit Watch(std::function<void()> readable) : readable_(std::move(readable)) {}
  void on_events(std::uint32_t) override {
    if (!silent_) readable_();
  }
  void silence() { silent_ = true; }

 private:
  std::function<void()> readable_;
  bool silent_ = false;
};

class ReactorCore {
 public:
  ReactorCore(Reactor& self, BlockingPool& pool, ReactorOptions options);
  ~ReactorCore();

  // Any thread.
  void post(io::Executor::Work work);
  bool here() const;
  void stop();
  void adopt(Descriptor socket, io::Net::Accept accept);

  // For sources. Watching a descriptor with no events keeps it for a later change.
  void add(int descriptor, std::uint32_t events, EventSource& source);
  void change(int descriptor, std::uint32_t events, EventSource& source);
  void remove(int descriptor);
  void own(std::unique_ptr<EventSource> source);
  // Destroys a source when the turn ends: events of this turn may still name it.
  void retire(EventSource& source);

  // For connections.
  void mark_dirty(TcpConnection& connection);
  void mark_again(TcpConnection& connection);
  void mark_ending(TcpConnection& connection);
  std::shared_ptr<TcpConnection> make_connection(Descriptor socket);
  void drop(TcpConnection& connection);
  void log(base::Diag::Level level, std::string_view message, const base::Diag::Details& details);

  void run();

  Reactor& self;
  BlockingPool& blocking_pool;
  const ReactorOptions options;
  ReactorStats stats;
  base::Instant now;
  base::TimerWheel timers;
  ReceivePool receive_pool;
  std::vector<Listener*> listeners;
  std::map<int, Watch*> watches;  // by descriptor
  std::atomic<std::size_t> connection_count{0};

 private:
  void adopt_here(Descriptor socket, const io::Net::Accept& accept);
  void turn();
  int wait_ms();
  void run_posted();
  void send_all();
  void finish_ended();
  void close_all();
  void pin() const;

  base::Instant turn_end_;
  Descriptor epoll_;
  Descriptor wake_;  // eventfd
  std::mutex posted_mutex_;
  std::vector<io::Executor::Work> posted_;
  std::vector<io::Executor::Work> running_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};

  std::vector<std::shared_ptr<TcpConnection>> connections_;
  std::vector<TcpConnection*> dirty_;
  std::vector<TcpConnection*> again_;
  std::vector<TcpConnection*> ending_;
  std::vector<TcpConnection*> taken_;
  std::vector<std::unique_ptr<EventSource>> sources_;
  std::vector<std::unique_ptr<EventSource>> retired_;
};

}  // namespace host
