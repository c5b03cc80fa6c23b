#include "common/host/tcp_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "common/base/check.h"
#include "common/host/reactor_core.h"
#include "common/host/socket_address.h"

namespace host {
namespace {

constexpr auto kFlushTime = std::chrono::seconds(5);

std::string reason(const char* operation, int code) {
  return std::string(operation) + ": " + std::generic_category().message(code);
}

int pending_error(int socket) {
  int code = 0;
  socklen_t length = sizeof code;
  getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length);
  return code;
}

}  // namespace

TcpConnection::TcpConnection(ReactorCore& reactor, Descriptor socket)
    : reactor_(reactor), socket_(std::move(socket)), peer_(peer_address(socket_.get())) {}

const io::Address& TcpConnection::local() const {
  if (!local_) local_ = local_address(socket_.get());
  return *local_;
}

void TcpConnection::start(std::shared_ptr<io::ConnectionHandler> handler) {
  handler_ = std::move(handler);
  if (handler_ == nullptr) {
    close(false);
    return;
  }
  armed_ = EPOLLIN;
  reactor_.add(socket_.get(), armed_, *this);
}

// --- sending

void TcpConnection::send(base::Bytes bytes) {
  if (state_ != State::kOpen) return;
  queue_.push(std::move(bytes));
  queued();
}

void TcpConnection::send(io::FileSlice slice) {
  if (state_ != State::kOpen) return;
  queue_.push(std::move(slice));
  queued();
}

void TcpConnection::queued() {
  if (queue_.queued_bytes() > reactor_.options.queue_high_bytes) congested_ = true;
  reactor_.mark_dirty(*this);
}

void TcpConnection::flush() {
  CHECK(reactor_.here());
  if (state_ == State::kOpen && !blocked_) write_queue();
}

void TcpConnection::write_queue() {
  std::uint64_t sent = 0;
  const auto outcome = queue_.write_to(socket_.get(), reactor_.options.send_bytes_per_turn, sent);
  reactor_.stats.bytes_sent.add(sent);
  if (!outcome) {
    end(outcome.error().what);
    return;
  }
  blocked_ = *outcome == SendQueue::Outcome::kBlocked;
  if (*outcome == SendQueue::Outcome::kBudget) reactor_.mark_dirty(*this);  // goes on next turn
}

void TcpConnection::end_of_turn() {
  if (ended()) return;
  if (!blocked_) write_queue();
  if (ended()) return;
  if (state_ == State::kFlushing) {
    settle_flushing();
  } else if (congested_ && queue_.queued_bytes() < reactor_.options.queue_low_bytes) {
    congested_ = false;
    reactor_.mark_again(*this);
    handler_->on_drained();
  }
  if (!ended()) settle_events();
}

void TcpConnection::settle_flushing() {
  if (queue_.empty()) {
    discard_received();
    end({});
  } else if (flush_limit_ == nullptr) {
    flush_limit_ = std::make_unique<base::Timer>([this] { end("send: the peer does not read"); });
    reactor_.timers.set(*flush_limit_, reactor_.now + kFlushTime);
  }
}

void TcpConnection::settle_events() {
  if (handler_ == nullptr) return;
  // Reading is watched until bytes arrive that nobody wants: a pause that ends before costs
  // nothing.
  const bool watches_input = reading() || (state_ == State::kOpen && (armed_ & EPOLLIN) != 0);
  const std::uint32_t events = (watches_input ? EPOLLIN : 0U) | (blocked_ ? EPOLLOUT : 0U);
  if (events == armed_) return;
  armed_ = events;
  reactor_.change(socket_.get(), events, *this);
}

// --- receiving

void TcpConnection::pause_reading() {
  CHECK(reactor_.here());
  wants_input_ = false;
}

void TcpConnection::resume_reading() {
  CHECK(reactor_.here());
  if (wants_input_) return;
  wants_input_ = true;
  reactor_.mark_again(*this);
}

void TcpConnection::on_events(std::uint32_t events) {
  if (ended()) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    if (reading()) {
      receive();
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
      const int code = pending_error(socket_.get());
      end(code == 0 ? std::string() : reason("socket", code));
    } else {
      armed_ &= ~static_cast<std::uint32_t>(EPOLLIN);
      reactor_.change(socket_.get(), armed_, *this);
    }
  }
  if ((events & EPOLLOUT) != 0) {
    blocked_ = false;
    reactor_.mark_dirty(*this);
  }
}

void TcpConnection::receive() {
  input_.open(reactor_.receive_pool);
  std::size_t budget = reactor_.options.receive_bytes_per_turn;
  bool ended_by_peer = false;
  int failure = 0;
  while (budget > 0) {
    const base::MutableBytes room = input_.room();
    const std::size_t asked = std::min(room.size(), budget);
    if (asked == 0) break;
    const ssize_t count = recv(socket_.get(), room.data(), asked, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) failure = errno;
    if (count == 0) ended_by_peer = true;
    if (count <= 0) break;
    const auto bytes = static_cast<std::size_t>(count);
    input_.received(bytes);
    reactor_.stats.bytes_received.add(bytes);
    budget -= bytes;
    if (bytes < asked) break;  // the socket is empty
  }
  hand_over();
  if (failure != 0) {
    end(reason("recv", failure));
  } else if (ended_by_peer) {
    close(!queue_.empty());
  }
}

void TcpConnection::hand_over() {
  const base::MutableBytes bytes = input_.bytes();
  std::size_t consumed = 0;
  if (!bytes.empty() && bytes.size() >= wanted_) {
    consumed = handler_->on_data(bytes);
    wanted_ = handler_->bytes_wanted();
  }
  if (state_ != State::kOpen) {
    input_.drop(reactor_.receive_pool);
    return;
  }
  if (wanted_ > reactor_.options.frame_bytes_max ||
      bytes.size() - consumed > reactor_.options.frame_bytes_max) {
    input_.drop(reactor_.receive_pool);
    refuse("frame longer than " + std::to_string(reactor_.options.frame_bytes_max) + " bytes");
    return;
  }
  if (input_.keep(reactor_.receive_pool, consumed, wanted_) == ReceiveBuffer::Kept::kOverLimit) {
    refuse("no receive memory left: " + std::to_string(reactor_.receive_pool.held_bytes()) +
           " bytes are held by incomplete frames");
  }
}

void TcpConnection::hand_over_again() {
  if (state_ != State::kOpen) return;
  if (reading() && input_.size() > 0 && input_.size() >= wanted_) {
    input_.open(reactor_.receive_pool);
    hand_over();
  }
  if (reading() && (armed_ & EPOLLIN) == 0) reactor_.mark_dirty(*this);  // to be watched again
}

// --- ending

void TcpConnection::close(bool after_flush) {
  CHECK(reactor_.here());
  if (!after_flush) {
    end({});
  } else if (state_ == State::kOpen) {
    state_ = State::kFlushing;
    reactor_.mark_dirty(*this);
  }
}

void TcpConnection::end(std::string error) {
  if (ended()) return;
  state_ = State::kEnding;
  error_ = std::move(error);
  reactor_.mark_ending(*this);
}

// Ended for what the peer did: the log says who.
void TcpConnection::refuse(std::string why) {
  reactor_.log(base::Diag::Level::kWarn, "connection closed",
               {{"peer", peer_.to_string()}, {"why", why}});
  end(std::move(why));
}

// Unread input would make close() a reset, which may overtake what was just sent.
void TcpConnection::discard_received() {
  shutdown(socket_.get(), SHUT_WR);
  std::byte scrap[16 << 10];
  for (int i = 0; i < 64 && recv(socket_.get(), scrap, sizeof scrap, MSG_DONTWAIT) > 0; ++i) {
  }
}

void TcpConnection::finish() {
  CHECK(state_ == State::kEnding);
  state_ = State::kClosed;
  flush_limit_.reset();
  input_.drop(reactor_.receive_pool);
  queue_.clear();
  socket_.reset();  // leaves epoll with it
  if (const auto handler = std::move(handler_)) handler->on_closed(error_);
}

}  // namespace host
