// Replay is the state: after any requests a shard that read the log knows what the first one does.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/txn/test_bench.h"

namespace broker::txn::testing {
namespace {

struct Step {
  int kind, id, owner, flag;
};

// Producers as clients are: each remembers what it was last given, old ones come back as zombies.
class Random {
 public:
  void run(const Step& step) {
    const std::string id = "id-" + std::to_string(step.id % 3);
    auto& known = producers_[id];
    const Producer who =
        known.empty()
            ? producer(1, 0)
            : known[known.size() - 1 -
                    static_cast<std::size_t>(step.owner) % std::min<std::size_t>(known.size(), 2)];
    const std::int16_t version = step.flag % 2 == 0 ? 0 : 2;
    switch (step.kind % 8) {
      case 0:
      case 1:
        return note(known, bench.init(id, step.kind % 8 == 1 ? std::optional(who) : std::nullopt));
      case 2:
      case 3:
        bench.add(id, who, step.flag % 3, version);
        return;
      case 4:
      case 5:
        return note(known, bench.end(id, who, step.flag % 3 != 0, version));
      case 6:
        return bench.write_markers();
      default:
        return bench.pass(step.flag % 4 == 0 ? 70s : 1s);
    }
  }

  Bench bench;

 private:
  static void note(std::vector<Producer>& known, const ProducerAnswer& got) {
    if (got.error == ErrorCode::kNone) known.push_back(got.producer);
  }
  std::map<std::string, std::vector<Producer>> producers_;
};

// Goal: apply and replay agree, and epochs of one producer id never fall. Method: random requests;
// after each, a second shard reads the log.
RC_GTEST_PROP(Replay, IsTheState, ()) {
  Random random;
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 8), rc::gen::inRange(0, 3), rc::gen::inRange(0, 3),
                     rc::gen::inRange(0, 12)));
  std::map<base::ProducerId, base::ProducerEpoch> highest;
  for (const auto& [kind, id, owner, flag] : steps) {
    random.run({kind, id, owner, flag});
    TxnCoordinator again{Config{}};
    for (const Record& record : random.bench.log) {
      again.replay(record.key,
                   record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
    }
    const auto& now = random.bench.shard->transactions();
    RC_ASSERT(again.transactions().size() == now.size());
    for (const auto& [name_, each] : now) {
      RC_ASSERT(again.transactions().at(each.id).same_record(each));
      auto& top = highest[each.producer_id];
      RC_ASSERT(each.epoch >= top);
      top = each.epoch;
    }
  }
}

}  // namespace
}  // namespace broker::txn::testing
