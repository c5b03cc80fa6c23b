// Drives one shard in tests: keeps its log, lets time pass, collects answers and marker orders.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/txn/txn_coordinator.h"

namespace broker::txn::testing {

using wire::ErrorCode;
using namespace std::chrono_literals;

class Bench {
 public:
  explicit Bench(Config config = {}) : config_(config) { restart(); }

  // A new shard that knows only what is committed.
  void restart() {
    shard.emplace(config_);
    answers.clear();
    orders.clear();
    unacknowledged_.clear();
    for (const Record& record : log) {
      shard->replay(record.key,
                    record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
    }
    Output out;
    shard->finish_replay(now, wall(), out);
    take(std::move(out));
  }

  template <class Request>
  Token send(const Request& request) {
    const Token token = next_token_;
    next_token_ = next_token_ + 1;
    Output out;
    shard->handle(Call{.token = token, .now = now, .wall_ms = wall()}, request, out);
    take(std::move(out));
    return token;
  }
  bool answered(Token token) const { return answers.contains(token); }
  template <class Answer>
  const Answer& answer(Token token) const {
    return std::get<Answer>(answers.at(token));
  }

  ProducerAnswer init(const std::string& id, std::optional<Producer> expected = std::nullopt,
                      std::int32_t timeout_ms = 60'000) {
    return answer<ProducerAnswer>(
        send(InitProducer{.id = id, .timeout_ms = timeout_ms, .expected = expected}));
  }
  ErrorCode add(const std::string& id, Producer producer, std::int32_t partition = 0,
                std::int16_t version = 0) {
    const auto got = answer<PartitionsAnswer>(send(AddPartitions{.id = id,
                                                                 .producer = producer,
                                                                 .partitions = {{"t", partition}},
                                                                 .client_version = version}));
    return got.error;
  }
  // The error of the partition, or of the whole.
  ErrorCode verify(const std::string& id, Producer producer, std::int32_t partition = 0) {
    const auto got = answer<PartitionsAnswer>(send(AddPartitions{
        .id = id, .producer = producer, .partitions = {{"t", partition}}, .verify_only = true}));
    return got.error != ErrorCode::kNone ? got.error : got.partitions.at(0);
  }
  ProducerAnswer end(const std::string& id, Producer producer, bool commit,
                     std::int16_t version = 0) {
    return answer<ProducerAnswer>(send(EndTransaction{
        .id = id, .producer = producer, .commit = commit, .client_version = version}));
  }
  // Every order that is out is done.
  void write_markers() {
    for (MarkerOrder& order : std::exchange(orders, {})) {
      Output out;
      shard->on_markers_written(order.number, order.id, wall(), out);
      take(std::move(out));
    }
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
    shard->on_committed(newest, out);
    take(std::move(out));
  }

  void give_id(std::variant<base::ProducerId, ErrorCode> id) {
    Output out;
    shard->give_producer_id(id, now, wall(), out);
    take(std::move(out));
  }

  void take(Output out) {
    shard->check_invariants();
    for (Reply& reply : out.reply) {
      EXPECT_FALSE(answers.contains(reply.token)) << "answered twice";
      answers.emplace(reply.token, std::move(reply.response));
    }
    for (MarkerOrder& order : out.markers) orders.push_back(std::move(order));
    for (Append& append : out.append) unacknowledged_.push_back(std::move(append));
    if (out.wants_producer_id && auto_id) {
      give_id(base::ProducerId(next_producer_id++));
    }
    if (auto_commit) commit();
  }

  base::WallMs wall() const {
    return 1'700'000'000'000 + (now - base::Instant()) / std::chrono::milliseconds(1);
  }
  const Transaction* find(const std::string& id) const {
    const auto at = shard->transactions().find(id);
    return at == shard->transactions().end() ? nullptr : &at->second;
  }
  // Puts a producer near its last epoch, as a log may say.
  void load_epoch(const std::string& id, std::int16_t epoch) {
    Transaction saved = *find(id);
    saved.epoch = base::ProducerEpoch(epoch);
    log.push_back(encode_transaction(saved));
    restart();
  }

  std::optional<TxnCoordinator> shard;
  base::Instant now{};
  bool auto_commit = true;
  bool auto_id = true;
  std::int64_t next_producer_id = 1'000;
  std::vector<Record> log;  // committed
  std::map<Token, Response> answers;
  std::vector<MarkerOrder> orders;  // out, not done

 private:
  Config config_;
  Token next_token_{1};
  std::vector<Append> unacknowledged_;
};

inline Producer producer(std::int64_t id, std::int16_t epoch) {
  return {base::ProducerId(id), base::ProducerEpoch(epoch)};
}

}  // namespace broker::txn::testing
