#include "broker/node/peer_connection.h"

#include <algorithm>
#include <utility>

namespace broker {

// What outlives the PeerConnection in late callbacks: those find `over` set and do nothing.
class PeerConnection::Link final : public std::enable_shared_from_this<Link> {
 public:
  Link(io::Executor& runs, io::Net& connects, base::Diag& tells, base::Random draws, Options given)
      : executor(runs),
        net(connects),
        diag(tells),
        random(draws),
        options(std::move(given)),
        retry([this] { connect(); }),
        overdue([this] { fail({ETIMEDOUT, "no answer from " + address.to_string()}); }) {}

  void send(std::int32_t id, base::Bytes frame, Answer answer);
  void abort();
  void end();
  void forget_failures();

  io::Executor& executor;
  io::Net& net;
  base::Diag& diag;
  base::Random random;
  const Options options;
  io::Address address;
  std::int32_t correlation_id = 0;
  std::uint32_t failures = 0;

  bool is_open() const { return stream != nullptr && connected; }
  bool is_over() const { return over; }

 private:
  struct Pending {
    std::int32_t correlation_id;
    base::Bytes unsent;
    Answer answer;
    base::Instant deadline;
  };
  class Stream;
  void connect_when_due();
  void connect();
  void on_connected(const std::shared_ptr<Stream>& from,
                    const io::IoResult<std::shared_ptr<io::Connection>>& made);
  void on_frame(base::MutableBytes payload);
  void watch_front();
  // The stream is of no use any more; every call is answered.
  void fail(const io::IoError& error);
  void drop_stream();

  bool over = false;
  std::deque<Pending> pending;
  std::shared_ptr<Stream> stream;  // connecting or open
  bool connected = false;
  bool connecting_soon = false;
  std::uint64_t aborts = 0;
  base::Instant rest_until{};
  base::Timer retry;
  base::Timer overdue;
};

// One connection of the many that a Link may have in its life. Without an owner it has been given
// up, and takes what still comes for nothing.
class PeerConnection::Link::Stream final : public io::ConnectionHandler {
 public:
  explicit Stream(std::shared_ptr<Link> link) : owner(std::move(link)) {}

  std::size_t on_data(base::MutableBytes in) override {
    std::size_t used = 0;
    wanted_ = 0;
    while (owner != nullptr) {
      const auto rest = in.subspan(used);
      const auto frame = wire::parse_frame(rest, owner->options.frame_bytes_max);
      if (frame.state == wire::FrameState::kIncomplete) {
        wanted_ = rest.empty() ? 0 : frame.frame_size;
        return used;
      }
      // The owner may end this connection, and itself, within each call.
      const std::shared_ptr<Link> link = owner;
      if (frame.state != wire::FrameState::kComplete) {
        link->fail({EBADMSG, "a frame of " + std::to_string(frame.size) + " bytes from " +
                                 link->address.to_string()});
        break;
      }
      used += frame.frame_size;
      link->on_frame(rest.subspan(wire::kFrameSizeBytes, frame.frame_size - wire::kFrameSizeBytes));
    }
    return in.size();
  }
  std::size_t bytes_wanted() const override { return wanted_; }
  void on_closed(const std::string& error) override {
    connection = nullptr;
    if (const std::shared_ptr<Link> link = owner) {
      link->fail({ECONNRESET, link->address.to_string() + ": " +
                                  (error.empty() ? "the peer ended the connection" : error)});
    }
  }

  std::shared_ptr<Link> owner;
  std::shared_ptr<io::Connection> connection;

 private:
  std::size_t wanted_ = 0;
};

void PeerConnection::Link::send(std::int32_t id, base::Bytes frame, Answer answer) {
  Pending& last = pending.emplace_back(
      Pending{id, {}, std::move(answer), executor.now() + options.request_timeout});
  if (is_open()) {
    stream->connection->send(std::move(frame));
  } else {
    last.unsent = std::move(frame);
    connect_when_due();
  }
  watch_front();
}

void PeerConnection::Link::connect_when_due() {
  if (over || stream != nullptr || retry.is_set() || connecting_soon) return;
  if (rest_until > executor.now()) return executor.timers().set(retry, rest_until);
  // Never from within call(): a refusal may come at once.
  connecting_soon = true;
  executor.post([self = shared_from_this()] {
    self->connecting_soon = false;
    self->connect();
  });
}

void PeerConnection::Link::connect() {
  if (over || stream != nullptr || pending.empty()) return;
  auto fresh = std::make_shared<Stream>(shared_from_this());
  stream = fresh;
  connected = false;
  net.connect(address,
              [fresh](io::IoResult<std::shared_ptr<io::Connection>> made)
                  -> std::shared_ptr<io::ConnectionHandler> {
                if (fresh->owner == nullptr) return nullptr;
                if (made) fresh->connection = *made;
                const std::shared_ptr<Link> link = fresh->owner;
                link->on_connected(fresh, made);
                return made ? fresh : nullptr;
              });
}

void PeerConnection::Link::on_connected(const std::shared_ptr<Stream>& from,
                                        const io::IoResult<std::shared_ptr<io::Connection>>& made) {
  if (!made) return fail(made.error());
  connected = true;
  for (Pending& each : pending) {
    if (!each.unsent.empty()) from->connection->send(std::exchange(each.unsent, {}));
  }
}

void PeerConnection::Link::on_frame(base::MutableBytes payload) {
  if (pending.empty()) return fail({EBADMSG, "an answer to nothing"});
  Pending first = std::move(pending.front());
  pending.pop_front();
  failures = 0;
  rest_until = {};
  watch_front();
  const auto before = stream;
  const std::string wrong = first.answer(payload, {});
  if (!wrong.empty() && !over && stream == before) {
    fail({EBADMSG, address.to_string() + ": " + wrong});
  }
}

void PeerConnection::Link::watch_front() {
  if (pending.empty()) return overdue.cancel();
  executor.timers().set(overdue, pending.front().deadline);
}

void PeerConnection::Link::fail(const io::IoError& error) {
  const auto self = shared_from_this();
  const std::uint64_t aborts_before = aborts;
  const bool was_needed = !pending.empty();
  drop_stream();
  if (was_needed) {
    const std::uint32_t doublings = std::min<std::uint32_t>(failures++, 16);
    const base::Duration delay =
        std::min<base::Duration>(options.backoff_first * (1LL << doublings), options.backoff_most);
    rest_until = executor.now() + delay + base::Duration(random.between(0, delay.count() / 2 + 1));
    // A broker that restarts is away for a moment; one that stays away is worth a line.
    diag.write(failures == 6 ? base::Diag::Level::kWarn : base::Diag::Level::kDebug, "peer",
               "a broker cannot be reached",
               {{"address", address.to_string()}, {"error", error.what}});
  }
  auto lost = std::exchange(pending, {});
  watch_front();
  for (Pending& each : lost) {
    if (aborts != aborts_before) return;
    each.answer({}, error);
  }
}

void PeerConnection::Link::drop_stream() {
  connected = false;
  const auto gone = std::exchange(stream, nullptr);
  if (gone == nullptr) return;
  gone->owner = nullptr;
  // Connection and handler hold each other until it has ended.
  if (const auto connection = std::exchange(gone->connection, nullptr)) connection->close();
}

void PeerConnection::Link::abort() {
  ++aborts;
  drop_stream();
  pending.clear();
  watch_front();
  retry.cancel();
}

void PeerConnection::Link::end() {
  over = true;
  abort();
}

void PeerConnection::Link::forget_failures() {
  failures = 0;
  rest_until = {};
  if (!retry.is_set()) return;
  retry.cancel();
  connect_when_due();
}

PeerConnection::PeerConnection(io::Executor& executor, io::Net& net, base::Diag& diag,
                               base::Random random, Options options)
    : link_(std::make_shared<Link>(executor, net, diag, random, std::move(options))) {}

PeerConnection::~PeerConnection() { link_->end(); }

void PeerConnection::set_address(const io::Address& address) {
  if (link_->address == address) return;
  link_->address = address;
  link_->abort();
  link_->forget_failures();
}

const io::Address& PeerConnection::address() const { return link_->address; }
void PeerConnection::abort() { link_->abort(); }
void PeerConnection::forget_failures() { link_->forget_failures(); }
bool PeerConnection::is_open() const { return link_->is_open(); }
std::uint32_t PeerConnection::failures() const { return link_->failures; }
std::int32_t PeerConnection::next_correlation_id() { return ++link_->correlation_id; }
const std::string& PeerConnection::client_id() const { return link_->options.client_id; }

void PeerConnection::refuse(const std::string& why, Answer answer) {
  link_->executor.post([link = link_, answer = std::move(answer), why]() mutable {
    if (!link->is_over()) answer({}, io::IoError{EINVAL, why});
  });
}

void PeerConnection::send(std::int32_t correlation_id, base::Bytes frame, Answer answer) {
  link_->send(correlation_id, std::move(frame), std::move(answer));
}

}  // namespace broker
