// Compares the producer states with a model that keeps the whole log and reads it anew for every
// question.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "broker/producer/producer_states.h"
#include "broker/producer/test_support.h"
#include "common/base/random.h"

namespace broker {
namespace {

using base::Offset;
using test::Sent;
using wire::ErrorCode;

struct Logged {
  Sent sent;
  bool marker = false;
  bool commit = false;
  std::int64_t last_offset() const { return sent.base_offset + (marker ? 0 : sent.count - 1); }
};

class Model {
 public:
  struct Answer {
    ErrorCode error = ErrorCode::kNone;
    std::int64_t duplicate = -1;
    friend bool operator==(const Answer&, const Answer&) = default;
  };

  Answer check(const Sent& sent) const {
    std::vector<const Logged*> own;  // batches of the current epoch
    int epoch = -1;
    bool open = false;
    for (const Logged& each : log) {
      if (each.sent.producer_id != sent.producer_id) continue;
      if (each.sent.epoch != epoch) own.clear();
      epoch = each.sent.epoch;
      if (!each.marker) own.push_back(&each);
      open = !each.marker && (open || each.sent.transactional);
    }
    if (epoch == -1) return {};
    const std::size_t skip = own.size() > 5 ? own.size() - 5 : 0;
    for (std::size_t i = skip; i < own.size(); ++i)
      if (sent.epoch == epoch && own[i]->sent.sequence == sent.sequence &&
          own[i]->sent.count == sent.count)
        return {ErrorCode::kNone, own[i]->sent.base_offset};
    if (sent.epoch < epoch) return {ErrorCode::kInvalidProducerEpoch};
    std::int64_t expected = 0;
    if (sent.epoch == epoch && !own.empty())
      expected = (std::int64_t{own.back()->sent.sequence} + own.back()->sent.count) %
                 (std::int64_t{1} << 31);
    if (sent.sequence != expected) return {ErrorCode::kOutOfOrderSequenceNumber};
    if (open && !sent.transactional) return {ErrorCode::kInvalidTxnState};
    return {};
  }

  std::int64_t stable(std::int64_t high_watermark) const {
    std::map<std::int64_t, std::int64_t> open;  // producer -> first offset
    std::int64_t stable = high_watermark;
    for (const Logged& each : log) {
      const std::int64_t id = each.sent.producer_id;
      if (!each.marker) {
        if (each.sent.transactional) open.try_emplace(id, each.sent.base_offset);
      } else if (open.contains(id)) {
        if (each.last_offset() >= high_watermark) stable = std::min(stable, open[id]);
        open.erase(id);
      }
    }
    for (const auto& [id, first] : open) stable = std::min(stable, first);
    return stable;
  }

  std::vector<Logged> log;
};

// A likely next batch: mostly right, sometimes a repeat, a gap, an old or a new epoch.
Sent draw(base::Random& random, const Model& model) {
  Sent sent{.producer_id = random.between(1, 5)};
  sent.count = static_cast<std::int32_t>(random.between(1, 4));
  sent.sequence = random.chance(1, 2) ? 0 : INT32_MAX - 3;
  const Logged* last = nullptr;
  for (const Logged& each : model.log)
    if (each.sent.producer_id == sent.producer_id && !each.marker)
      if (last == nullptr || random.chance(9, 10)) last = &each;
  if (last != nullptr) {
    sent = last->sent;
    if (random.chance(3, 4)) {
      sent.sequence = record::add_sequence(sent.sequence, sent.count);
      sent.count = static_cast<std::int32_t>(random.between(1, 4));
    }
    if (random.chance(1, 20)) sent.sequence = record::add_sequence(sent.sequence, 1);
    if (random.chance(1, 20)) sent.epoch = static_cast<std::int16_t>(random.between(0, 4));
    if (random.chance(1, 20)) sent.sequence = 0;
  }
  sent.transactional = random.chance(1, 2);
  return sent;
}

Model::Answer answer_of(const ProducerVerdict& verdict) {
  if (verdict.kind == ProducerVerdict::Kind::kDuplicate)
    return {ErrorCode::kNone, verdict.duplicate.first_offset().value()};
  return {verdict.error, -1};
}

// Goal: verdicts and stable offsets are what a reading of the whole log says, also after a restart
// from a snapshot and the log behind it. Method: random producers, many seeds.
TEST(ProducerModel, AgreesWithWholeLog) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    base::Random random(seed);
    Model model;
    ProducerStates states({});
    std::size_t refused = 0;
    for (int step = 0; step < 150; ++step) {
      const std::int64_t end = states.end_offset().value();
      Logged next{.sent = draw(random, model)};
      next.sent.base_offset = end;
      if (random.chance(1, 6)) {
        next.marker = true;
        next.commit = random.chance(1, 2);
        const ProducerEntry* entry = states.find(base::ProducerId(next.sent.producer_id));
        if (entry != nullptr) next.sent.epoch = entry->producer_epoch.value();
        const base::Bytes bytes =
            test::marker_bytes(next.sent.producer_id, next.sent.epoch, next.commit, end);
        states.apply(test::view(bytes), 0);
        model.log.push_back(next);
      } else {
        const base::Bytes bytes = test::batch_bytes(next.sent);
        const auto verdict = states.check(test::view(bytes), AppendOrigin::kClient);
        ASSERT_EQ(answer_of(verdict), model.check(next.sent))
            << "seed " << seed << " step " << step;
        if (verdict.kind != ProducerVerdict::Kind::kAppend) {
          ++refused;
          continue;
        }
        states.apply(test::view(bytes), 0);
        model.log.push_back(next);
      }
      states.check_invariants();
      const std::int64_t high = random.between(0, states.end_offset().value() + 1);
      ASSERT_EQ(states.last_stable_offset(Offset(high)).value(), std::min(high, model.stable(high)))
          << "seed " << seed << " step " << step;
    }
    EXPECT_GT(refused, 5u);
    EXPECT_LT(refused, 120u);

    // Restart: a snapshot somewhere, then the log behind it.
    ProducerStates first({});
    ProducerStates restarted({});
    const std::size_t cut = random.below(model.log.size() + 1);
    auto feed = [](ProducerStates& into, const Logged& each) {
      const base::Bytes bytes = each.marker
                                    ? test::marker_bytes(each.sent.producer_id, each.sent.epoch,
                                                         each.commit, each.sent.base_offset)
                                    : test::batch_bytes(each.sent);
      into.apply(test::view(bytes), 0);
    };
    for (std::size_t i = 0; i < cut; ++i) feed(first, model.log[i]);
    ASSERT_TRUE(restarted.load_snapshot(first.encode_snapshot(), first.end_offset(), 0));
    for (std::size_t i = cut; i < model.log.size(); ++i) feed(restarted, model.log[i]);
    restarted.check_invariants();
    ASSERT_EQ(restarted.encode_snapshot(), states.encode_snapshot()) << seed;
    ASSERT_EQ(restarted.last_stable_offset(restarted.end_offset()),
              states.last_stable_offset(states.end_offset()));
  }
}

}  // namespace
}  // namespace broker
