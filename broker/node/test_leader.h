// A leader broker played by hand for tests of followers: takes Fetch requests over the simulated
// network and answers what the test says, when it says so.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/frame.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_net.h"

namespace broker {

class TestLeader {
 public:
  static constexpr std::uint16_t kPort = 9091;
  static constexpr std::int16_t kVersion = 17;

  TestLeader(sim::World& world, sim::SimNetwork& network, const std::string& host)
      : executor_(world, host), net_(network.join(host, executor_)) {
    const auto bound = net_->listen({host, kPort}, [this](std::shared_ptr<io::Connection> made) {
      ++connections;
      return std::make_shared<Handler>(*this, std::move(made));
    });
    EXPECT_TRUE(bound);
  }
  ~TestLeader() { executor_.kill(); }

  // Requests that wait for an answer, oldest first. Those of a broken connection are gone.
  struct Asked {
    wire::FetchRequest request;
    std::int32_t correlation_id;
    std::string client_id;
    std::shared_ptr<io::Connection> connection;
  };
  std::deque<Asked> asked;
  int connections = 0;
  int requests = 0;

  // Answers the oldest.
  void answer(const wire::FetchResponse& response) {
    ASSERT_FALSE(asked.empty());
    const Asked first = std::move(asked.front());
    asked.pop_front();
    wire::Writer out;
    const auto frame = wire::begin_frame(out);
    wire::encode_response_header(out, 1, kVersion, first.correlation_id);
    response.encode(out, kVersion);
    ASSERT_TRUE(wire::end_frame(out, frame));
    first.connection->send(out.take());
  }
  void send_raw(base::Bytes bytes) { asked.front().connection->send(std::move(bytes)); }
  void break_connection() { asked.front().connection->close(); }

 private:
  class Handler final : public io::ConnectionHandler {
   public:
    Handler(TestLeader& leader, std::shared_ptr<io::Connection> connection)
        : leader_(leader), connection_(std::move(connection)) {}

    std::size_t on_data(base::MutableBytes in) override {
      std::size_t used = 0;
      for (;;) {
        const auto frame = wire::parse_frame(base::BytesView(in).subspan(used), 1 << 20);
        if (frame.state != wire::FrameState::kComplete) return used;
        used += frame.frame_size;
        wire::Reader reader(frame.payload);
        wire::RequestHeader header;
        EXPECT_EQ(wire::decode_request_header(reader, header), wire::HeaderResult::kOk);
        EXPECT_EQ(header.api_version, kVersion);
        wire::FetchRequest request;
        EXPECT_TRUE(request.decode(reader, kVersion));
        ++leader_.requests;
        leader_.asked.push_back({request, header.correlation_id,
                                 std::string(header.client_id.value_or("")), connection_});
      }
    }
    void on_closed(const std::string&) override {
      std::erase_if(leader_.asked,
                    [this](const Asked& each) { return each.connection == connection_; });
      connection_ = nullptr;
    }

   private:
    TestLeader& leader_;
    std::shared_ptr<io::Connection> connection_;
  };

  sim::SimExecutor executor_;
  std::unique_ptr<io::Net> net_;
};

}  // namespace broker
