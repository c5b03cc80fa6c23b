// Drives one shard in tests: keeps its log, lets time pass, collects the answers.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/group/group_coordinator.h"

namespace broker::group::testing {

using wire::ErrorCode;
using namespace std::chrono_literals;

class Bench {
 public:
  explicit Bench(Config config = {}) : config_(config) { restart(); }

  // A new shard that knows only what is committed.
  void restart() {
    shard.emplace(config_, base::Random(seed_++));
    answers.clear();
    unacknowledged_.clear();
    for (const Record& record : log) {
      shard->replay(record.key,
                    record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
    }
    Output out;
    shard->finish_replay(now, wall(), out);
    take(std::move(out));
  }

  // Sends; the answer is in answers[token] at once or later.
  template <class Request>
  Token send(const Request& request, std::int16_t version) {
    const Token token = next_token_;
    next_token_ = next_token_ + 1;
    Output out;
    shard->handle(Call{.token = token,
                       .version = version,
                       .client_id = client_id,
                       .client_host = "/127.0.0.1",
                       .now = now,
                       .wall_ms = wall()},
                  request, out);
    take(std::move(out));
    return token;
  }
  bool answered(Token token) const { return answers.contains(token); }
  template <class Answer>
  const Answer& answer(Token token) const {
    return std::get<Answer>(answers.at(token));
  }
  // Sends what is answered at once.
  template <class Answer, class Request>
  Answer ask(const Request& request, std::int16_t version) {
    const Token token = send(request, version);
    EXPECT_TRUE(answered(token));
    return answers.contains(token) ? answer<Answer>(token) : Answer{};
  }

  void pass(base::Duration time) {
    const base::Instant until = now + time;
    while (auto at = shard->wake_at()) {
      if (*at > until) break;
      now = std::max(now, *at);
      Output out;
      shard->step(now, wall(), out);
      take(std::move(out));
    }
    now = until;
  }

  // Makes everything appended so far durable.
  void commit() {
    if (unacknowledged_.empty()) return;
    const AppendNumber newest = unacknowledged_.back().number;
    for (Append& append : std::exchange(unacknowledged_, {})) {
      for (Record& record : append.records) log.push_back(std::move(record));
    }
    Output out;
    shard->on_committed(newest, now, out);
    take(std::move(out));
  }
  std::size_t uncommitted() const { return unacknowledged_.size(); }

  void take(Output out) {
    shard->check_invariants();
    for (Reply& reply : out.reply) {
      EXPECT_FALSE(answers.contains(reply.token)) << "answered twice";
      answers.emplace(reply.token, std::move(reply.response));
    }
    for (Append& append : out.append) unacknowledged_.push_back(std::move(append));
    if (auto_commit) commit();
  }

  base::WallMs wall() const {
    return 1'700'000'000'000 + (now - base::Instant()) / std::chrono::milliseconds(1);
  }
  const Group* group(const std::string& id) const {
    auto it = shard->groups().find(id);
    return it == shard->groups().end() ? nullptr : &it->second;
  }

  std::optional<GroupCoordinator> shard;
  base::Instant now{};
  bool auto_commit = true;
  std::string client_id = "client";
  std::vector<Record> log;  // committed
  std::map<Token, Response> answers;

 private:
  Config config_;
  std::uint64_t seed_ = 1;
  Token next_token_{1};
  std::vector<Append> unacknowledged_;
};

inline base::Bytes bytes(std::string_view text) {
  const auto view = base::as_bytes(text);
  return {view.begin(), view.end()};
}
inline std::string text(const base::Bytes& bytes) { return std::string(base::as_text(bytes)); }

inline wire::JoinGroupRequest join(const std::string& group, const std::string& member_id = "") {
  return {.group_id = group,
          .session_timeout_ms = 10'000,
          .rebalance_timeout_ms = 60'000,
          .member_id = member_id,
          .protocol_type = "consumer",
          .protocols = {{.name = "range", .metadata = bytes("r")}}};
}
inline wire::SyncGroupRequest sync(
    const wire::JoinGroupResponse& joined, const std::string& group,
    std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> assignments = {}) {
  return {.group_id = group,
          .generation_id = joined.generation_id,
          .member_id = joined.member_id,
          .protocol_type = joined.protocol_type,
          .protocol_name = joined.protocol_name,
          .assignments = std::move(assignments)};
}
inline wire::HeartbeatRequest heartbeat(const wire::JoinGroupResponse& joined,
                                        const std::string& group) {
  return {.group_id = group, .generation_id = joined.generation_id, .member_id = joined.member_id};
}
inline CommitOffsets commit_one(const std::string& group, std::int64_t offset,
                                std::int32_t generation = -1, const std::string& member_id = "") {
  CommitOffsets request{.group_id = group, .generation = generation, .member_id = member_id};
  request.partitions.push_back({.at = {"t", 0}, .offset = offset});
  return request;
}

}  // namespace broker::group::testing
