// A socket of a reactor, as io::Connection. Reactor's thread only.
//
//   open --close(after_flush), peer's end--> flushing --queue empty, 5 s, error--> ending
//   open --close(), error-----------------------------------------------------> ending
//   ending --end of the turn, on_closed--> closed
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/timer_wheel.h"
#include "common/host/descriptor.h"
#include "common/host/receive_buffer.h"
#include "common/host/send_queue.h"
#include "common/io/net.h"

namespace host {

class ReactorCore;

// What epoll calls.
class EventSource {
 public:
  virtual ~EventSource() = default;
  virtual void on_events(std::uint32_t events) = 0;
};

class TcpConnection final : public io::Connection, public EventSource {
 public:
  TcpConnection(ReactorCore& reactor, Descriptor socket);

  // io::Connection
  void send(base::Bytes bytes) override;
  void send(io::FileSlice slice) override;
  void flush() override;
  std::uint64_t queued_bytes() const override { return queue_.queued_bytes(); }
  void pause_reading() override;
  void resume_reading() override;
  void close(bool after_flush) override;
  const io::Address& peer() const override { return peer_; }
  const io::Address& local() const override;

  // For ReactorCore.
  void start(std::shared_ptr<io::ConnectionHandler> handler);
  void on_events(std::uint32_t events) override;
  void end_of_turn();  // sends, then settles what epoll shall tell
  void hand_over_again();
  void finish();          // closes and says on_closed
  std::size_t index = 0;  // in the reactor's table
  bool marked_dirty = false;
  bool marked_again = false;

 private:
  enum class State : std::uint8_t { kOpen, kFlushing, kEnding, kClosed };

  bool reading() const {
    return state_ == State::kOpen && wants_input_ && !congested_ && handler_ != nullptr;
  }
  void receive();
  void hand_over();
  void write_queue();
  bool ended() const { return state_ == State::kEnding || state_ == State::kClosed; }
  void queued();
  void settle_flushing();
  void settle_events();
  void end(std::string error);
  void refuse(std::string why);
  void discard_received();

  ReactorCore& reactor_;
  Descriptor socket_;
  std::shared_ptr<io::ConnectionHandler> handler_;
  ReceiveBuffer input_;
  SendQueue queue_;
  std::size_t wanted_ = 0;
  std::uint32_t armed_ = 0;  // the events that epoll watches
  State state_ = State::kOpen;
  bool wants_input_ = true;
  bool congested_ = false;  // above the high mark, not yet below the low one
  bool blocked_ = false;    // the socket took less than it was given
  io::Address peer_;
  mutable std::optional<io::Address> local_;
  std::string error_;
  std::unique_ptr<base::Timer> flush_limit_;
};

}  // namespace host
