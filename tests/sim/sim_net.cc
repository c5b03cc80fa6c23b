#include "tests/sim/sim_net.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace sim {
namespace {

class Socket;
class Host;

// Sent and not yet consumed by the peer's handler: beyond it a sender waits.
constexpr std::size_t kWindow = 256 << 10;
// on_drained is called when the queue falls below this after having been above the other.
constexpr std::uint64_t kHighMark = 1 << 20;
constexpr std::uint64_t kLowMark = 256 << 10;

using Route = std::pair<std::string, std::string>;
Route route(const std::string& a, const std::string& b) { return {std::min(a, b), std::max(a, b)}; }

}  // namespace

struct SimNetwork::State {
  State(SimNetwork& given, World& at) : owner(given), world(at), random(at.random("net")) {}

  base::Duration delay() {
    return base::Duration(
        random.between(owner.faults.delay_min.count(), owner.faults.delay_max.count() + 1));
  }

  SimNetwork& owner;
  World& world;
  base::Random random;
  std::map<std::string, Host*> listeners;  // by address
  bool is_cut(const std::string& a, const std::string& b) const {
    return cuts.contains({a, b}) || cuts.contains({b, a});
  }

  std::set<Route> cuts;  // from, to
  std::vector<std::weak_ptr<Socket>> sockets;
  std::uint16_t next_port = 20'000;
};

namespace {

using StatePtr = std::shared_ptr<SimNetwork::State>;

// One end of a connection. Owned by its handler's owner and, while it is open, by its Host.
class Socket final : public io::Connection, public std::enable_shared_from_this<Socket> {
 public:
  Socket(StatePtr state, Host* host, SimExecutor& executor, io::Address local, io::Address peer)
      : state_(std::move(state)),
        host_(host),
        executor_(executor),
        process_(executor.id()),
        local_(std::move(local)),
        peer_(std::move(peer)) {}

  void attach(std::shared_ptr<io::ConnectionHandler> handler) { handler_ = std::move(handler); }
  static void join(const std::shared_ptr<Socket>& a, const std::shared_ptr<Socket>& b) {
    a->other_ = b;
    b->other_ = a;
  }

  void send(base::Bytes bytes) override {
    if (closing_ || closed_ || bytes.empty()) return;
    queued_ += bytes.size();
    was_high_ = was_high_ || queued_ > kHighMark;
    out_.push_back(std::move(bytes));
    leave_soon();
  }
  void send(io::FileSlice slice) override {
    base::Bytes bytes(slice.length);
    auto got = slice.file->read_at(bytes, slice.position);
    if (!got || *got != bytes.size()) return end("a file slice could not be read");
    send(std::move(bytes));
  }
  void flush() override { pump(); }
  std::uint64_t queued_bytes() const override { return queued_; }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    if (!std::exchange(paused_, false)) return;
    executor_.post([self = shared_from_this()] { self->deliver(); });
  }
  void close(bool after_flush) override {
    if (closed_ || closing_) return;
    closing_ = true;
    if (after_flush && queued_ > 0) return;
    if (!after_flush) drop_queue();
    executor_.post([self = shared_from_this()] { self->finish_close(); });
  }
  const io::Address& peer() const override { return peer_; }
  const io::Address& local() const override { return local_; }

  // The connection ends here and now; the peer hears of it after a delay.
  void end(const std::string& error);
  void forget_host() { host_ = nullptr; }
  void pump();
  void deliver();
  const std::string& local_host() const { return local_.host; }
  const std::string& peer_host() const { return peer_.host; }

 private:
  // What one event sends leaves together.
  void leave_soon() {
    if (std::exchange(leaving_, true)) return;
    state_->world.after_this([self = shared_from_this()] {
      self->leaving_ = false;
      self->pump();
    });
  }
  void drop_queue() {
    out_.clear();
    queued_ = 0;
  }
  void finish_close() { end(""); }
  const base::Bytes& join_sent(std::size_t size);
  void arrive(base::Bytes bytes);
  void peer_ended(const std::string& error);

  StatePtr state_;
  Host* host_;
  SimExecutor& executor_;
  const World::ActorId process_;  // of executor_
  io::Address local_;
  io::Address peer_;
  std::weak_ptr<Socket> other_;
  std::shared_ptr<io::ConnectionHandler> handler_;
  std::deque<base::Bytes> out_;
  std::uint64_t queued_ = 0;
  std::size_t in_flight_ = 0;  // taken from out_, not yet consumed by the peer
  base::Instant last_arrival_{};
  base::Bytes in_;
  bool was_high_ = false;
  bool leaving_ = false;
  bool paused_ = false;
  bool delivering_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool peer_done_ = false;  // the peer ended after what is in in_
  std::string peer_error_;
};

class Host final : public io::Net {
 public:
  Host(StatePtr state, std::string name, SimExecutor& executor)
      : state_(std::move(state)), name_(std::move(name)), executor_(executor) {}
  ~Host() override {
    *alive_ = false;
    stop_listening();
    for (const auto& socket : std::exchange(open_, {})) {
      socket->forget_host();
      socket->attach(nullptr);  // the process is gone: nobody is told
      socket->end("connection reset by peer");
    }
  }

  io::IoResult<io::Address> listen(const io::Address& address, Accept accept) override {
    io::Address bound{name_, address.port};
    if (bound.port == 0) bound.port = state_->next_port++;
    if (!state_->listeners.emplace(bound.to_string(), this).second) {
      return io::io_failure(EADDRINUSE, bound.to_string());
    }
    accepts_[bound.to_string()] = std::move(accept);
    return bound;
  }
  void stop_listening() override {
    for (const auto& [address, accept] : accepts_) state_->listeners.erase(address);
    accepts_.clear();
  }
  void connect(const io::Address& address, Connected done) override;

  void accept(const io::Address& at, const io::Address& from, std::shared_ptr<Socket> client);
  void opened(const std::shared_ptr<Socket>& socket) { open_.insert(socket); }
  void closed(const std::shared_ptr<Socket>& socket) { open_.erase(socket); }

 private:
  StatePtr state_;
  std::string name_;
  SimExecutor& executor_;
  std::map<std::string, Accept> accepts_;
  struct ByAge {
    bool operator()(const std::shared_ptr<Socket>& a, const std::shared_ptr<Socket>& b) const {
      return a->local().port != b->local().port ? a->local().port < b->local().port
                                                : a->peer().port < b->peer().port;
    }
  };
  std::set<std::shared_ptr<Socket>, ByAge> open_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// A stream knows no bounds of what was sent: the first of the queue, with what is behind it, of
// `size` bytes or more if there are so many.
const base::Bytes& Socket::join_sent(std::size_t size) {
  if (out_.size() == 1) return out_.front();
  base::Bytes joined = std::move(out_.front());
  out_.pop_front();
  while (!out_.empty() && joined.size() < size) {
    joined.insert(joined.end(), out_.front().begin(), out_.front().end());
    out_.pop_front();
  }
  out_.push_front(std::move(joined));
  return out_.front();
}

void Socket::pump() {
  if (closed_ || state_->cuts.contains({local_.host, peer_.host})) return;
  auto other = other_.lock();
  if (!other) return;
  while (!out_.empty() && in_flight_ < kWindow) {
    const base::Bytes& first = join_sent(kWindow - in_flight_);
    // Pieces of any size: a reader must not depend on how bytes were sent.
    std::size_t size = std::min(first.size(), kWindow - in_flight_);
    if (size > 1 && state_->random.chance(1, 3)) {
      size = 1 + static_cast<std::size_t>(state_->random.below(size));
    }
    base::Bytes piece;
    if (size == first.size()) {
      piece = std::move(out_.front());
      out_.pop_front();
    } else {
      const auto end = first.begin() + static_cast<std::ptrdiff_t>(size);
      piece.assign(first.begin(), end);
      out_.front().erase(first.begin(), end);
    }
    in_flight_ += size;
    queued_ -= size;
    last_arrival_ = std::max(last_arrival_, state_->world.now() + state_->delay());
    if (!state_->world.is_here(other->process_)) continue;
    other->executor_.at(last_arrival_,
                        [weak = std::weak_ptr(other), piece = std::move(piece)]() mutable {
                          if (auto to = weak.lock()) to->arrive(std::move(piece));
                        });
  }
  if (was_high_ && queued_ < kLowMark) {
    was_high_ = false;
    executor_.post([self = shared_from_this()] {
      if (!self->closed_ && self->handler_) self->handler_->on_drained();
    });
  }
  if (closing_ && queued_ == 0) finish_close();
}

void Socket::arrive(base::Bytes bytes) {
  if (closed_) return;
  if (in_.empty()) {
    in_ = std::move(bytes);
  } else {
    in_.insert(in_.end(), bytes.begin(), bytes.end());
  }
  deliver();
}

void Socket::deliver() {
  if (closed_ || delivering_ || !handler_) return;
  delivering_ = true;
  std::size_t freed = 0;
  while (!paused_ && !closed_ && !in_.empty()) {
    const std::size_t used = handler_->on_data(in_);
    CHECK(used <= in_.size());
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(used));
    freed += used;
    if (used == 0) break;
  }
  delivering_ = false;
  if (auto other = other_.lock(); other && freed > 0 && other->out_.empty()) {
    other->in_flight_ -= freed;  // nobody waits for that
  } else if (other && freed > 0) {
    state_->world.after(state_->delay(), [weak = std::weak_ptr(other), freed] {
      if (auto to = weak.lock()) {
        to->in_flight_ -= freed;
        to->pump();
      }
    });
  }
  if (!closed_ && peer_done_ && (in_.empty() || !paused_)) end(peer_error_);
}

void Socket::peer_ended(const std::string& error) {
  // A process may end while it connects: events of the network outlive it.
  if (!state_->world.is_here(process_)) return;
  peer_done_ = true;
  peer_error_ = error;
  executor_.post([self = shared_from_this()] { self->deliver(); });
}

void Socket::end(const std::string& error) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  drop_queue();
  if (host_) host_->closed(self);
  if (auto handler = std::exchange(handler_, nullptr)) {
    executor_.post([handler, error] { handler->on_closed(error); });
  }
  auto other = other_.lock();
  if (!other) return;
  last_arrival_ = std::max(last_arrival_, state_->world.now() + state_->delay());
  state_->world.at(last_arrival_, [weak = std::weak_ptr(other), error] {
    if (auto to = weak.lock()) to->peer_ended(error);
  });
}

void Host::connect(const io::Address& address, Connected done) {
  const io::Address local{name_, state_->next_port++};
  auto pending = std::make_shared<Connected>(std::move(done));
  const auto fail = [this, alive = alive_, pending](int code, const std::string& what) {
    if (!*alive) return;
    executor_.post([pending, code, what] { (*pending)(io::io_failure(code, what)); });
  };
  state_->world.after(
      state_->delay(), [this, alive = alive_, state = state_, address, local, pending, fail] {
        if (!*alive) return;
        auto found = state->listeners.find(address.to_string());
        if (found == state->listeners.end()) return fail(ECONNREFUSED, address.to_string());
        if (state->is_cut(local.host, address.host)) {
          return fail(ETIMEDOUT, address.to_string());
        }
        auto socket = std::make_shared<Socket>(state, this, executor_, local, address);
        found->second->accept(address, local, socket);
        state->world.after(state->delay(), [this, alive, pending, socket] {
          if (!*alive) return;
          executor_.post([this, alive, pending, socket] {
            if (!*alive) return;
            opened(socket);
            auto handler = (*pending)(std::shared_ptr<io::Connection>(socket));
            if (!handler) return socket->end("");
            socket->attach(std::move(handler));
            socket->deliver();
          });
        });
      });
}

void Host::accept(const io::Address& at, const io::Address& from, std::shared_ptr<Socket> client) {
  auto socket = std::make_shared<Socket>(state_, this, executor_, at, from);
  Socket::join(client, socket);
  state_->sockets.push_back(socket);
  state_->sockets.push_back(client);
  opened(socket);
  executor_.post([this, alive = alive_, at, socket] {
    if (!*alive) return;
    auto found = accepts_.find(at.to_string());
    auto handler = found == accepts_.end() ? nullptr : found->second(socket);
    if (!handler) return socket->end("");
    socket->attach(std::move(handler));
    socket->deliver();
  });
}

}  // namespace

SimNetwork::SimNetwork(World& world) : state_(std::make_shared<State>(*this, world)) {}
SimNetwork::~SimNetwork() = default;

std::unique_ptr<io::Net> SimNetwork::join(const std::string& host, SimExecutor& executor) {
  return std::make_unique<Host>(state_, host, executor);
}

void SimNetwork::cut(const std::string& a, const std::string& b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void SimNetwork::cut_one_way(const std::string& from, const std::string& to) {
  state_->cuts.emplace(from, to);
}

void SimNetwork::heal() {
  state_->cuts.clear();
  for (const auto& weak : state_->sockets) {
    if (auto socket = weak.lock()) socket->pump();
  }
}

void SimNetwork::reset(const std::string& a, const std::string& b) {
  const auto sockets = state_->sockets;
  for (const auto& weak : sockets) {
    auto socket = weak.lock();
    if (socket && route(socket->local_host(), socket->peer_host()) == route(a, b)) {
      socket->end("connection reset by peer");
    }
  }
  std::erase_if(state_->sockets, [](const auto& weak) { return weak.expired(); });
}

}  // namespace sim
