#include "tests/sim/node/kafka_client.h"

#include <utility>
#include <vector>

#include "tests/sim/node/node_process.h"

namespace sim {

class KafkaClient::Link final : public io::ConnectionHandler {
 public:
  explicit Link(KafkaClient* client) : owner(client) {}

  // Takes everything at once: a response may be longer than the window of the network.
  std::size_t on_data(base::MutableBytes in) override {
    held_.insert(held_.end(), in.begin(), in.end());
    std::size_t used = 0;
    while (owner != nullptr) {
      const auto frame = wire::parse_frame(base::BytesView(held_).subspan(used), 64 << 20);
      if (frame.state == wire::FrameState::kIncomplete) break;
      if (frame.state != wire::FrameState::kComplete) {
        owner->broken("a frame of " + std::to_string(frame.size) + " bytes");
        break;
      }
      used += frame.frame_size;
      owner->on_frame(frame.payload);
    }
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(used));
    return in.size();
  }
  void on_closed(const std::string&) override {
    if (owner != nullptr) owner->drop();
  }

  KafkaClient* owner;
  std::shared_ptr<io::Connection> connection;
  std::vector<base::Bytes> unsent;

 private:
  base::Bytes held_;
};

KafkaClient::KafkaClient(World& world, SimNetwork& network, const std::string& host)
    : world_(world),
      host_(host),
      target_(kNodeHost),
      executor_(world, host),
      net_(network.join(host, executor_)) {}

KafkaClient::~KafkaClient() {
  *alive_ = false;
  if (link_) link_->owner = nullptr;
  executor_.kill();
}

void KafkaClient::send(base::Bytes frame, Answer answer) {
  const std::int32_t id = correlation_id_;
  pending_.push_back({id, std::move(answer), world_.now() + patience});
  if (!link_) connect();
  if (link_->connection) {
    link_->connection->send(std::move(frame));
  } else {
    link_->unsent.push_back(std::move(frame));
  }
  if (!std::exchange(watching_, true)) watch();
}

// Answers come in order: when one is overdue, the first is.
void KafkaClient::watch() {
  watching_ = !pending_.empty();
  if (!watching_) return;
  if (pending_.front().give_up > world_.now()) {
    return world_.at(pending_.front().give_up, [this, alive = alive_] {
      if (*alive) watch();
    });
  }
  world_.trace("client gives up", host_);
  watching_ = false;
  drop();
}

void KafkaClient::connect() {
  link_ = std::make_shared<Link>(this);
  net_->connect({target_, kNodePort},
                [link = link_](io::IoResult<std::shared_ptr<io::Connection>> connection)
                    -> std::shared_ptr<io::ConnectionHandler> {
                  if (!link->owner) return nullptr;
                  if (!connection) {
                    link->owner->drop();
                    return nullptr;
                  }
                  link->connection = *connection;
                  for (auto& frame : link->unsent) link->connection->send(std::move(frame));
                  link->unsent.clear();
                  return link;
                });
}

void KafkaClient::on_frame(base::BytesView payload) {
  if (pending_.empty()) return broken("an answer to nothing");
  Pending first = std::move(pending_.front());
  pending_.pop_front();
  first.answer(payload, first.correlation_id);
}

void KafkaClient::aim(const std::string& target) {
  if (target == target_) return;
  drop();
  target_ = target;
}

void KafkaClient::drop() {
  if (auto link = std::exchange(link_, nullptr)) {
    link->owner = nullptr;
    if (link->connection) link->connection->close();
    // Connection and handler hold each other only until the connection has ended.
    executor_.post([link] { link->connection = nullptr; });
  }
  auto lost = std::exchange(pending_, {});
  for (auto& each : lost) each.answer({}, each.correlation_id);
}

void KafkaClient::broken(const std::string& why) {
  world_.fail(Verdict::kIncorrect, host_ + ": " + why);
}

}  // namespace sim
