#include "broker/api/session.h"

#include <algorithm>

#include "broker/api/produce.h"
#include "broker/api/table.h"
#include "broker/limits.h"
#include "broker/node/stats.h"
#include "common/base/check.h"
#include "common/base/mutant.h"
#include "common/wire/msg/fetch_request.h"

namespace broker::api {

Session::Session(Node& node, Reactor& reactor, std::shared_ptr<io::Connection> connection,
                 std::string listener)
    : node_(node),
      reactor_(reactor),
      connection_(std::move(connection)),
      listener_(std::move(listener)) {
  reactor_.stats->connections_opened.add(1);
}

Session::~Session() { reactor_.stats->connections_closed.add(1); }

void Session::start() {
  place_ = reactor_.client_sessions->add(weak_from_this());
  last_activity_ = reactor_.executor.now();
  idle_timer_.on_fire([this] { check_idle(); });
  check_idle();
}

std::size_t Session::on_data(base::MutableBytes in) {
  last_activity_ = reactor_.executor.now();
  std::size_t consumed = 0;
  wanted_ = 0;
  waits_for_all_ = false;
  if (node_.stopping) {
    closed_ = true;
    connection_->close();
    return in.size();
  }
  in_on_data_ = true;
  while (!closed_ && !recalled_) {
    const auto rest = in.subspan(consumed);
    const wire::Frame frame = wire::parse_frame(rest, node_.config.socket_request_max_bytes);
    const bool too_long = frame.size > limits::kOtherRequestBytesMax &&
                          rest.size() >= wire::kFrameSizeBytes + 2 &&
                          !next_is_produce(rest.subspan(wire::kFrameSizeBytes));
    if (frame.state == wire::FrameState::kIncomplete && !too_long) {
      wanted_ = rest.empty() ? 0 : frame.frame_size;
      break;
    }
    if (too_long) {
      end("refused: request too long",
          "a request of " + std::to_string(frame.size) + " bytes that is no Produce; at most " +
              std::to_string(limits::kOtherRequestBytesMax) + " are allowed");
      break;
    }
    if (frame.state != wire::FrameState::kComplete) {
      end("refused: bad frame size", "a frame of " + std::to_string(frame.size) +
                                         " bytes; at most " +
                                         std::to_string(node_.config.socket_request_max_bytes) +
                                         " are allowed (socket.request.max.bytes)");
      break;
    }
    const bool is_produce = next_is_produce(frame.payload);
    if (!is_produce) run_produce();
    // What is told behind a slow acknowledgement must be true when it is told: metadata that was
    // gathered before a failover and sent after it costs a client seconds.
    waits_for_all_ = !is_produce && !slots_.empty();
    if (waits_for_all_ || !may_start_next()) break;
    consumed += frame.frame_size;
    handle_frame(frame.payload);
  }
  run_produce();
  in_on_data_ = false;
  reactor_.stats->bytes_in.add(consumed);
  leave();
  if (!closed_ && (recalled_ || waits_for_all_ || !may_start_next()) && !paused_) {
    paused_ = true;
    connection_->pause_reading();
  }
  return closed_ ? in.size() : consumed;
}

bool Session::next_is_produce(base::BytesView frame) const {
  return frame.size() >= 2 &&
         base::load_be<std::int16_t>(frame.data()) == wire::ProduceRequest::kApiKey;
}

bool Session::may_start_next() const {
  return !recalled_ && blocking_slots_ == 0 && slots_.size() < limits::kRequestsInFlightMax &&
         connection_->queued_bytes() < limits::kSendQueueBytesMax;
}

void Session::handle_frame(base::BytesView frame) {
  wire::Reader in(frame);
  wire::RequestHeader header;
  const auto result = wire::decode_request_header(in, header);
  if (result == wire::HeaderResult::kMalformed) return end("refused: malformed header", in.error());
  const ApiEntry* entry = find_api(header.api_key);
  if (result == wire::HeaderResult::kUnknownApiKey || entry == nullptr) {
    return end("refused: unknown api",
               "api key " + std::to_string(header.api_key) + " is not served");
  }
  const auto slot = open_slot(*entry);
  PendingReply reply{shared_from_this(), slot, header.correlation_id, header.api_version};
  if (result == wire::HeaderResult::kUnknownApiVersionsVersion) {
    return reply_unsupported_api_versions(std::move(reply));
  }
  const auto what = [&] {
    return std::string(entry->name) + " of version " + std::to_string(header.api_version);
  };
  if (header.api_version < entry->version_min || header.api_version > entry->version_max) {
    return end("refused: unsupported version", what() + " is not served");
  }
  Context context{node_,
                  reactor_,
                  header.api_version,
                  header.client_id.value_or(std::string_view()),
                  connection_->peer(),
                  connection_->local(),
                  listener_,
                  use_};
  use_.records = use_.records || entry->key == wire::ProduceRequest::kApiKey ||
                 entry->key == wire::FetchRequest::kApiKey;
  if (entry->pipelined) {
    auto operation = ProduceOperation::parse(context, in, std::move(reply));
    if (operation == nullptr) return end("refused: malformed request", what() + ": " + in.error());
    produce_run_.push_back(std::move(operation));
    return;
  }
  if (!entry->handle(context, in, std::move(reply))) {
    end("refused: malformed request", what() + ": " + in.error());
  }
}

void Session::run_produce() {
  if (produce_run_.empty()) return;
  auto run = std::move(produce_run_);
  produce_run_.clear();
  run_produce_operations(node_, run);
  run.clear();
  if (produce_run_.capacity() == 0) produce_run_ = std::move(run);
}

std::uint64_t Session::open_slot(const ApiEntry& entry) {
  Slot& slot = slots_.emplace_back();
  slot.pipelined = entry.pipelined;
  slot.api_key = entry.key;
  slot.received = node_.clock.now();
  if (!entry.pipelined) ++blocking_slots_;
  return first_slot_ + slots_.size() - 1;
}

Session::Slot* Session::slot_at(std::uint64_t number) {
  if (closed_ || number < first_slot_ || number - first_slot_ >= slots_.size()) return nullptr;
  return &slots_[number - first_slot_];
}

void Session::finish(std::uint64_t number, wire::Writer frame, std::vector<io::FileSlice> slices) {
  CHECK(reactor_.executor.here());
  Slot* slot = slot_at(number);
  if (slot == nullptr) return;  // the connection ended meanwhile
  CHECK(!slot->done);
  slot->done = true;
  slot->frame = std::move(frame);
  slot->slices = std::move(slices);
  if (!slot->pipelined) --blocking_slots_;
  reactor_.stats->record_request(slot->api_key, node_.clock.now() - slot->received);
  send_ready();
}

void Session::finish_silently(std::uint64_t number) { finish(number, wire::Writer(), {}); }

void Session::abandon(std::uint64_t number, const std::string& why) {
  if (slot_at(number) != nullptr) end("connection given up", why);
}

void Session::send_ready() {
  while (!slots_.empty() && slots_.front().done) {
    send_frame(slots_.front());
    slots_.pop_front();
    ++first_slot_;
  }
  leave();
  go_on();
}

void Session::recall(bool again) {
  const bool learns_leaders = use_.metadata_asked ? !again : use_.records;
  if (closed_ || recalled_ || !learns_leaders || use_.replica) return;
  recalled_ = true;
  leave();
}

// Once what it had begun is answered. A Fetch that waits for records need not be.
void Session::leave() {
  const auto waits_for_records = [](const Slot& slot) {
    return slot.api_key == wire::FetchRequest::kApiKey && !slot.done;
  };
  if (!recalled_ || closed_ || in_on_data_) return;
  const bool idle = std::ranges::all_of(slots_, waits_for_records);
  if (!idle && !MUTANT("recall-forgets-what-it-began")) return;
  closed_ = true;
  reactor_.stats->connections_recalled.add(1);
  idle_timer_.cancel();
  connection_->close(/*after_flush=*/true);
}

void Session::send_frame(Slot& slot) {
  if (slot.frame.size() == 0) return;
  const std::vector<wire::Splice> splices(slot.frame.splices().begin(), slot.frame.splices().end());
  reactor_.stats->bytes_out.add(slot.frame.total_size());
  base::Bytes bytes = slot.frame.take();
  if (splices.empty()) return connection_->send(std::move(bytes));
  std::size_t sent = 0;
  for (const auto& splice : splices) {
    connection_->send(base::Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(sent),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(splice.position)));
    connection_->send(std::move(slot.slices[splice.index]));
    sent = splice.position;
  }
  if (sent < bytes.size()) {
    connection_->send(base::Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(sent), bytes.end()));
  }
}

void Session::go_on() {
  if (!paused_ || in_on_data_ || closed_ || !may_start_next()) return;
  if (waits_for_all_ && !slots_.empty()) return;
  paused_ = false;
  connection_->resume_reading();
}

void Session::on_drained() { go_on(); }

void Session::end(std::string_view what, const std::string& why) {
  if (closed_) return;
  closed_ = true;
  // `what` is constant: repeats of one kind are rationed, other kinds still get through.
  node_.diag.warn("session", what, {{"peer", connection_->peer().to_string()}, {"why", why}});
  reactor_.stats->connections_refused.add(1);
  idle_timer_.cancel();
  // What was answered before the offence still leaves.
  connection_->close(/*after_flush=*/true);
}

void Session::on_closed(const std::string& error) {
  if (!error.empty()) {
    node_.diag.debug("session", "connection ended",
                     {{"peer", connection_->peer().to_string()}, {"error", error}});
  }
  closed_ = true;
  if (place_) reactor_.client_sessions->remove(*std::exchange(place_, std::nullopt));
  idle_timer_.cancel();
  slots_.clear();
  produce_run_.clear();
}

void Session::check_idle() {
  const auto idle_max = std::chrono::milliseconds(node_.config.connections_max_idle_ms);
  const auto now = reactor_.executor.now();
  // Waiting for us is not idling; a partial frame must make progress sooner than an idle client.
  const bool partial = wanted_ != 0 && slots_.empty();
  const auto limit = partial ? std::min<base::Duration>(idle_max, limits::kPartialFrameMax)
                             : base::Duration(idle_max);
  if (slots_.empty() && now - last_activity_ >= limit) {
    return end(partial ? "refused: no progress within a frame" : "idle connection ended",
               partial ? "for 30 s" : "connections.max.idle.ms");
  }
  reactor_.executor.timers().set(idle_timer_,
                                 now + std::min<base::Duration>(limit, limits::kPartialFrameMax));
}

}  // namespace broker::api
