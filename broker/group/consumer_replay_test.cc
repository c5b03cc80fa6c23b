#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/group/consumer_codec.h"
#include "broker/group/test_consumers.h"

namespace broker::group {
namespace {

using namespace testing;

// One random thing that a member, a topic or time does.
void act(ConsumerBench& bench, std::vector<TestMember>& members) {
  TestMember& member = members[*rc::gen::inRange<std::size_t>(0, members.size())];
  switch (*rc::gen::inRange(0, 9)) {
    case 0:
      member.epoch = 0;
      member.owned.clear();
      bench.join(member);
      break;
    case 1: {
      Heartbeat leaving = member.beating(*bench.topics);
      leaving.member_epoch = member.instance && *rc::gen::arbitrary<bool>() ? -2 : -1;
      bench.beat(leaving);
      break;
    }
    case 2:
      bench.topics->set("t", *rc::gen::inRange(1, 9));
      break;
    case 3: {
      Heartbeat changed = member.beating(*bench.topics);
      if (*rc::gen::arbitrary<bool>()) changed.subscribed_topic_names = {{"t", "u"}};
      if (*rc::gen::arbitrary<bool>()) changed.subscribed_topic_regex = "[tu]";
      if (*rc::gen::arbitrary<bool>()) changed.server_assignor = "range";
      member.take(bench.beat(changed));
      break;
    }
    case 4:
      bench.pass(std::chrono::seconds(*rc::gen::inRange(1, 50)));
      break;
    default:
      bench.beat(member);
  }
}

// Goal: what is in the log is all there is: a coordinator that starts from it knows the same. And
// at no time do two members hold one partition (check_invariants, after every step). Method: random
// members, topics and times; then the log replayed.
RC_GTEST_PROP(ConsumerReplay, GivesTheSameState, ()) {
  ConsumerBench bench;
  std::vector<TestMember> members;
  for (int i = 0; i < 4; ++i) {
    TestMember& member = members.emplace_back(TestMember{.id = "m" + std::to_string(i)});
    if (i < 2) member.instance = "instance";  // two that want to be one
  }
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) act(bench, members);
  const Group* live = bench.group("g");
  const auto before = live == nullptr ? std::nullopt : live->consumer;
  bench.restart();
  const Group* replayed = bench.group("g");
  RC_ASSERT((replayed != nullptr) == before.has_value());
  if (before) RC_ASSERT(*replayed->consumer == *before);
}

// Goal: a compacted log says the same as the whole one. Method: keep the last record of each key.
RC_GTEST_PROP(ConsumerReplay, GivesTheSameStateWhenCompacted, ()) {
  ConsumerBench bench;
  std::vector<TestMember> members;
  for (int i = 0; i < 3; ++i) members.push_back({.id = "m" + std::to_string(i)});
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) act(bench, members);
  const Group* live = bench.group("g");
  const auto before = live == nullptr ? std::nullopt : live->consumer;
  std::vector<Record> last;
  for (std::size_t i = 0; i < bench.log.size(); ++i) {
    const bool is_last =
        std::none_of(bench.log.begin() + static_cast<std::ptrdiff_t>(i) + 1, bench.log.end(),
                     [&](const Record& later) { return later.key == bench.log[i].key; });
    if (is_last && bench.log[i].value) last.push_back(bench.log[i]);
  }
  bench.log = std::move(last);
  bench.restart();
  const Group* replayed = bench.group("g");
  RC_ASSERT((replayed != nullptr) == before.has_value());
  if (before) RC_ASSERT(*replayed->consumer == *before);
}

// Goal: records that are cut short or of a newer form do no harm. Method: cut each at every byte.
TEST(ConsumerReplay, PassesOverWhatIsMalformed) {
  ConsumerBench bench;
  TestMember a{.id = "a"};
  bench.join(a);
  for (const Record& record : bench.log) {
    GroupCoordinator other({}, base::Random(1));
    for (std::size_t size = 0; size < record.value->size(); ++size) {
      other.replay(record.key, base::BytesView(*record.value).first(size));
    }
    EXPECT_EQ(other.malformed_records(), record.value->size());
    EXPECT_TRUE(other.groups().empty());
    base::Bytes newer = *record.value;
    newer[1] = std::byte{9};
    other.replay(record.key, base::BytesView(newer));
    EXPECT_TRUE(other.groups().empty());
  }
}

}  // namespace
}  // namespace broker::group
