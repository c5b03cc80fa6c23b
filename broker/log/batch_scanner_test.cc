#include "broker/log/batch_scanner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "broker/log/test_log.h"
#include "common/base/random.h"

namespace broker {
namespace {

// Goal: every batch is seen whole and at its place, wherever the edges of the buffer fall, and what
// follows one that is read by itself too. Method: batches of random sizes around that of the
// buffer, compared with what was written.
TEST(BatchScanner, SeesWhatWasWritten) {
  sim::SimDisk disk(1);
  base::Random random(2);
  auto file = *disk.open("batches", io::OpenMode::kCreateEmpty);
  std::vector<base::Bytes> batches;
  std::uint64_t end = 0;
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t sizes[] = {100, 40'000, BatchScanner::kBufferBytes + 20'000};
    BatchSpec spec{.value_bytes = random.below(sizes[i % 3]),
                   .fill = static_cast<char>('a' + i % 26)};
    batches.push_back(make_batch(spec));
    ASSERT_TRUE(file->write_at(batches.back(), end));
    end += batches.back().size();
  }
  BatchScanner scanner(*file, 0, end);
  std::uint64_t position = 0;
  for (const base::Bytes& batch : batches) {
    const auto item = scanner.next();
    ASSERT_TRUE(item && *item) << scanner.why();
    EXPECT_EQ((*item)->position, position);
    ASSERT_EQ((*item)->size, batch.size());
    EXPECT_EQ((*item)->is_whole, batch.size() <= BatchScanner::kBufferBytes);
    if ((*item)->is_whole) {
      EXPECT_TRUE(std::ranges::equal((*item)->view.bytes(), batch));
    } else {
      EXPECT_EQ(*scanner.read_whole(**item, 1 << 20), batch);
      EXPECT_TRUE(*scanner.checksum_ok(**item));
    }
    position += batch.size();
  }
  const auto last = scanner.next();
  ASSERT_TRUE(last);
  EXPECT_FALSE(*last);
  EXPECT_EQ(scanner.why(), "");
}

}  // namespace
}  // namespace broker
