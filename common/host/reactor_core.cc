#include "common/host/reactor_core.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/check.h"
#include "common/host/system_clock.h"

namespace host {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kPostedRoundsPerTurn = 16;  // then the sockets are asked again
thread_local const ReactorCore* current = nullptr;

base::Instant clock_now() { return SystemClock().now(); }

}  // namespace

ReactorCore::ReactorCore(Reactor& self_reactor, BlockingPool& pool, ReactorOptions given)
    : self(self_reactor),
      blocking_pool(pool),
      options(given),
      now(clock_now()),
      receive_pool(given.receive_buffer_bytes_max),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(epoll_.is_open());
  CHECK(wake_.is_open());
  CHECK(options.queue_low_bytes <= options.queue_high_bytes);
  turn_end_ = now;
  timers.advance(now);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // each write is an event of its own: nothing to read
  event.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

ReactorCore::~ReactorCore() = default;

// --- any thread

bool ReactorCore::here() const { return current == this; }

void ReactorCore::post(io::Executor::Work work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  if (here()) return;
  // Whoever finds the reactor asleep wakes it; the others' work rides along.
  if (!asleep_.exchange(false)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void ReactorCore::stop() {
  stopping_.store(true);
  post([] {});
}

void ReactorCore::adopt(Descriptor socket, io::Net::Accept accept) {
  connection_count.fetch_add(1, std::memory_order_relaxed);
  if (here()) {
    adopt_here(std::move(socket), accept);
    return;
  }
  post([this, socket = std::move(socket), accept = std::move(accept)]() mutable {
    adopt_here(std::move(socket), accept);
  });
}

// --- sources

void ReactorCore::add(int descriptor, std::uint32_t events, EventSource& source) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0);
}

void ReactorCore::change(int descriptor, std::uint32_t events, EventSource& source) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event) == 0);
}

void ReactorCore::remove(int descriptor) {
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr) == 0);
}

void ReactorCore::own(std::unique_ptr<EventSource> source) {
  sources_.push_back(std::move(source));
}

void ReactorCore::retire(EventSource& source) {
  const auto at = std::find_if(sources_.begin(), sources_.end(),
                               [&](const auto& owned) { return owned.get() == &source; });
  if (at == sources_.end()) return;
  retired_.push_back(std::move(*at));
  sources_.erase(at);
}

// --- connections

std::shared_ptr<TcpConnection> ReactorCore::make_connection(Descriptor socket) {
  auto connection = std::make_shared<TcpConnection>(*this, std::move(socket));
  connection->index = connections_.size();
  connections_.push_back(connection);
  return connection;
}

void ReactorCore::adopt_here(Descriptor socket, const io::Net::Accept& accept) {
  if (connections_.size() >= options.connections_max) {
    connection_count.fetch_sub(1, std::memory_order_relaxed);
    stats.connections_refused.add();
    log(base::Diag::Level::kWarn, "connection refused: the limit is reached",
        {{"connections_max", std::to_string(options.connections_max)}});
    return;
  }
  stats.connections_accepted.add();
  const auto connection = make_connection(std::move(socket));
  connection->start(accept(connection));
}

void ReactorCore::drop(TcpConnection& connection) {
  const std::size_t index = connection.index;
  CHECK(connections_[index].get() == &connection);
  if (connection.marked_dirty) std::erase(dirty_, &connection);
  if (connection.marked_again) std::erase(again_, &connection);
  connections_.back()->index = index;
  std::swap(connections_[index], connections_.back());
  connections_.pop_back();
  stats.connections_closed.add();
  connection_count.fetch_sub(1, std::memory_order_relaxed);
}

void ReactorCore::mark_dirty(TcpConnection& connection) {
  if (std::exchange(connection.marked_dirty, true)) return;
  dirty_.push_back(&connection);
}

void ReactorCore::mark_again(TcpConnection& connection) {
  if (std::exchange(connection.marked_again, true)) return;
  again_.push_back(&connection);
}

void ReactorCore::mark_ending(TcpConnection& connection) { ending_.push_back(&connection); }

void ReactorCore::log(base::Diag::Level level, std::string_view message,
                      const base::Diag::Details& details) {
  if (options.diag != nullptr) options.diag->write(level, "reactor", message, details);
}

// --- the turn

void ReactorCore::run() {
  current = this;
  pin();
  while (!stopping_.load(std::memory_order_relaxed)) turn();
  close_all();
  current = nullptr;
}

void ReactorCore::turn() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_ms());
  CHECK(count >= 0 || errno == EINTR);
  asleep_.store(false, std::memory_order_relaxed);
  now = clock_now();
  stats.turns.add();
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr != nullptr) {
      static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
    } else {
      stats.posts_from_outside.add();
    }
  }
  timers.advance(now);
  run_posted();
  send_all();
  finish_ended();
  retired_.clear();
  turn_end_ = clock_now();
  stats.turn_ns.record(static_cast<std::uint64_t>((turn_end_ - now).count()));
}

int ReactorCore::wait_ms() {
  if (!dirty_.empty() || !again_.empty() || !ending_.empty()) return 0;
  asleep_.store(true);
  {
    // Whoever posts after this look finds us asleep.
    const std::lock_guard lock(posted_mutex_);
    if (!posted_.empty()) return 0;
  }
  const auto deadline = timers.next_deadline();
  if (!deadline) return -1;
  const auto left = *deadline - turn_end_;
  if (left <= base::Duration::zero()) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

void ReactorCore::run_posted() {
  for (int round = 0; round < kPostedRoundsPerTurn; ++round) {
    {
      const std::lock_guard lock(posted_mutex_);
      running_.swap(posted_);
    }
    if (running_.empty() && again_.empty()) return;
    for (auto& work : running_) work();
    running_.clear();
    taken_.swap(again_);
    for (TcpConnection* connection : taken_) {
      connection->marked_again = false;
      connection->hand_over_again();
    }
    taken_.clear();
  }
}

void ReactorCore::send_all() {
  taken_.swap(dirty_);
  for (TcpConnection* connection : taken_) {
    connection->marked_dirty = false;
    connection->end_of_turn();
  }
  taken_.clear();
}

void ReactorCore::finish_ended() {
  while (!ending_.empty()) {
    std::vector<TcpConnection*> ending;
    ending.swap(ending_);
    for (TcpConnection* connection : ending) {
      const auto keep = connections_[connection->index];
      drop(*keep);
      keep->finish();
    }
  }
}

void ReactorCore::close_all() {
  run_posted();
  send_all();
  while (!connections_.empty()) {
    for (const auto& connection : connections_) connection->close(false);
    finish_ended();
    run_posted();  // what the handlers posted while closing, and sockets that were on their way
  }
  listeners.clear();
  sources_.clear();
  retired_.clear();
}

void ReactorCore::pin() const {
  if (options.cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(options.cpu), &set);
  sched_setaffinity(0, sizeof set, &set);  // a refusal (cpuset) costs only speed
}

}  // namespace host
