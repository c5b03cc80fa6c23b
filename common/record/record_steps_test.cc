#include "common/record/record_steps.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/random.h"
#include "common/record/builder.h"
#include "common/record/record_view.h"

namespace record {
namespace {

base::Bytes some_batch() {
  BatchBuilder builder;
  const base::Bytes key(200, std::byte{'k'});
  const HeaderView header{"h", base::BytesView(key).first(3)};
  for (int i = 0; i < 300; ++i) {
    const auto size = static_cast<std::size_t>(i) % key.size();
    const bool has_key = i % 3 != 0;
    builder.add_at(i * 7, 1000 + i * i,
                   has_key ? std::optional(base::BytesView(key).first(size)) : std::nullopt,
                   i % 5 == 0 ? std::nullopt : std::optional(base::BytesView(key)),
                   {&header, i % 2 == 0 ? 1u : 0u});
  }
  return builder.build();
}

// Goal: steps are at the records that the reader sees. Method: a batch of records of all kinds,
// both side by side.
TEST(RecordSteps, AgreeWithTheReader) {
  const base::Bytes bytes = some_batch();
  const BatchView batch = *BatchView::parse(bytes);
  RecordReader reader(batch.records(), batch.count());
  RecordSteps steps(batch.records(), batch.count());
  RecordView record;
  RecordSteps::Step step;
  while (reader.next(record)) {
    ASSERT_TRUE(steps.next(step));
    EXPECT_EQ(step.offset_delta, record.offset_delta);
    EXPECT_EQ(step.has_key, record.key.has_value());
    EXPECT_EQ(step.bytes.data(), record.bytes.data());
    EXPECT_EQ(step.bytes.size(), record.bytes.size());
  }
  EXPECT_FALSE(steps.next(step));
  EXPECT_EQ(steps.error(), "");
  EXPECT_EQ(steps.index(), batch.count());
}

// Goal: no length is believed; a count that is wrong is told. Method: every cut of a section, and
// random bytes in it: steps stay inside, and a section that the reader takes they take too.
TEST(RecordSteps, StayInsideTheSection) {
  base::Random random(5);
  const base::Bytes bytes = some_batch();
  const BatchView batch = *BatchView::parse(bytes);
  const base::BytesView whole = batch.records();
  const auto walk = [](base::BytesView section, std::int32_t count) {
    RecordSteps steps(section, count);
    RecordSteps::Step step;
    while (steps.next(step)) {
      EXPECT_GE(step.bytes.data(), section.data());
      EXPECT_LE(step.bytes.data() + step.bytes.size(), section.data() + section.size());
    }
    return steps.error().empty();
  };
  EXPECT_FALSE(walk(whole, batch.count() + 1));
  EXPECT_FALSE(walk(whole, batch.count() - 1));
  EXPECT_FALSE(walk(whole, -1));
  for (std::size_t size = 0; size < 2000; ++size) {
    EXPECT_FALSE(walk(base::Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), 300));
  }
  for (int i = 0; i < 2000; ++i) {
    base::Bytes spoiled(whole.begin(), whole.end());
    for (int j = 0; j < 3; ++j) spoiled[random.below(2000)] = std::byte(random.below(256));
    RecordReader reader(spoiled, batch.count());
    for (RecordView record; reader.next(record);) continue;
    const bool taken = walk(spoiled, batch.count());
    if (reader.error().empty()) EXPECT_TRUE(taken);
  }
}

}  // namespace
}  // namespace record
