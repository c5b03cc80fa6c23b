// One client connection: cuts frames, runs handlers, sends responses in the order of the requests.
// Lives on one reactor and is touched by no other thread.
//
// As in Kafka, a request is handled only after the one before it was answered, so a client that
// pipelines sees the effects in order. Produce is the exception: consecutive Produce requests are
// appended together, one write per partition, and wait for their acknowledgements side by side;
// what comes behind them waits until they are answered.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/api/handler.h"
#include "broker/node/client_sessions.h"
#include "common/base/timer_wheel.h"

namespace broker::api {

struct ApiEntry;
class ProduceOperation;

class Session final : public io::ConnectionHandler,
                      public ReplyTarget,
                      public ClientSession,
                      public std::enable_shared_from_this<Session> {
 public:
  Session(Node& node, Reactor& reactor, std::shared_ptr<io::Connection> connection,
          std::string listener);
  ~Session() override;
  // Once, after construction: starts the idle timer.
  void start();

  std::size_t on_data(base::MutableBytes in) override;
  std::size_t bytes_wanted() const override { return wanted_; }
  void on_drained() override;
  void on_closed(const std::string& error) override;

  // Ends the connection as soon as what it has begun is answered, if it is one by which a client
  // learns who leads: its client connects again and asks. What was sent and not begun is left
  // undone, so that it can be sent again.
  void recall(bool again) override;

  void finish(std::uint64_t slot, wire::Writer frame, std::vector<io::FileSlice> slices) override;
  void finish_silently(std::uint64_t slot) override;
  void abandon(std::uint64_t slot, const std::string& why) override;

 private:
  struct Slot {
    bool done = false;
    bool pipelined = false;
    std::int16_t api_key = 0;
    base::Instant received{};
    wire::Writer frame;
    std::vector<io::FileSlice> slices;
  };

  void handle_frame(base::BytesView frame);
  void run_produce();
  std::uint64_t open_slot(const ApiEntry& entry);
  Slot* slot_at(std::uint64_t number);
  void send_ready();
  void send_frame(Slot& slot);
  bool may_start_next() const;
  void go_on();
  void leave();
  // Logs `what` (one of a few constants) with the peer and the details, and ends the connection.
  void end(std::string_view what, const std::string& why);
  void check_idle();
  bool next_is_produce(base::BytesView frame) const;

  Node& node_;
  Reactor& reactor_;
  std::shared_ptr<io::Connection> connection_;
  const std::string listener_;        // its name
  std::deque<Slot> slots_;            // in order of the requests
  std::uint64_t first_slot_ = 0;      // number of slots_.front()
  std::uint32_t blocking_slots_ = 0;  // unanswered requests that nothing may overtake
  std::vector<std::shared_ptr<ProduceOperation>> produce_run_;
  std::size_t wanted_ = 0;
  bool closed_ = false;
  bool paused_ = false;
  bool waits_for_all_ = false;  // the next request is handled once all before it are answered
  bool in_on_data_ = false;
  base::Instant last_activity_{};
  ConnectionUse use_;
  bool recalled_ = false;  // takes nothing more, and ends when all is answered
  std::optional<ClientSessions::Place> place_;
  base::Timer idle_timer_;
};

}  // namespace broker::api
