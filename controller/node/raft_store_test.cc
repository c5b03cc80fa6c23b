#include "controller/node/raft_store.h"

#include <gtest/gtest.h>

#include "controller/node/wal_format.h"
#include "tests/sim/disk/sim_disk.h"

namespace controller {
namespace {

using raft::Entry;
using raft::HardState;
using raft::Index;
using raft::NodeId;
using raft::Snapshot;
using raft::Term;

const std::string kDirectory = "/data/metadata";
const std::string kSegment = kDirectory + "/00000000000000000001.wal";

raft::Data data(const std::string& text) { return std::make_shared<const std::string>(text); }
Entry entry(std::int64_t index, std::int64_t term, const std::string& text) {
  return {Index(index), Term(term), data(text)};
}

RaftStore::Opened open(sim::SimDisk& disk) {
  auto opened = RaftStore::open(disk, kDirectory, base::Uuid{1, 2});
  EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().what);
  return std::move(*opened);
}

std::string text_of(const raft::Recovered& recovered) {
  std::string out = "term " + std::to_string(recovered.hard_state.term.value()) + " vote " +
                    std::to_string(recovered.hard_state.vote.value()) + " snapshot " +
                    std::to_string(recovered.snapshot.index.value());
  for (const Entry& each : recovered.entries) {
    out += " " + std::to_string(each.index.value()) + "/" + std::to_string(each.term.value()) +
           "=" + *each.data;
  }
  return out;
}

// Goal: what was written and synced is read back, the last version of each index counting.
TEST(RaftStore, ReadsBackWhatWasSynced) {
  sim::SimDisk disk(1);
  {
    auto store = open(disk).store;
    const std::vector<Entry> first = {entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")};
    ASSERT_TRUE(store->write(HardState{Term(1), NodeId(1)}, first).has_value());
    const std::vector<Entry> second = {entry(2, 2, "B")};
    ASSERT_TRUE(store->write(HardState{Term(2), NodeId(3)}, second).has_value());
    ASSERT_TRUE(store->sync().has_value());
  }
  disk.crash();
  EXPECT_EQ(text_of(open(disk).recovered), "term 2 vote 3 snapshot 0 1/1=a 2/2=B");
}

// Goal: the disk's name and the members are kept, in entries and behind a snapshot; a log that has
// a name keeps it.
TEST(RaftStore, KeepsNameAndMembers) {
  sim::SimDisk disk(4);
  const auto members = std::make_shared<const raft::Membership>(raft::Membership{
      {{NodeId(1), {5, 6}, true, {}, 0}, {NodeId(2), {7, 8}, false, "elsewhere", 9094}}});
  Entry change = entry(2, 1, "");
  change.members = members;
  {
    auto opened = open(disk);
    EXPECT_TRUE(opened.fresh);
    EXPECT_EQ(opened.directory, (base::Uuid{1, 2}));
    const std::vector<Entry> entries = {entry(1, 1, "a"), change};
    ASSERT_TRUE(opened.store->write(HardState{Term(1), NodeId(1)}, entries).has_value());
    ASSERT_TRUE(opened.store->sync().has_value());
  }
  {
    auto opened = RaftStore::open(disk, kDirectory, base::Uuid{3, 4});
    ASSERT_TRUE(opened.has_value());
    EXPECT_FALSE(opened->fresh);
    EXPECT_EQ(opened->directory, (base::Uuid{1, 2}));
    ASSERT_EQ(opened->recovered.entries.size(), 2u);
    EXPECT_EQ(opened->recovered.entries[0].members, nullptr);
    ASSERT_NE(opened->recovered.entries[1].members, nullptr);
    EXPECT_EQ(*opened->recovered.entries[1].members, *members);
    const raft::Snapshot snapshot{Index(2), Term(1), data("image"), members};
    ASSERT_TRUE(opened->store->checkpoint(snapshot, HardState{Term(1), NodeId(1)}, {}).has_value());
  }
  const auto again = open(disk);
  EXPECT_EQ(again.directory, (base::Uuid{1, 2}));
  ASSERT_NE(again.recovered.snapshot.members, nullptr);
  EXPECT_EQ(*again.recovered.snapshot.members, *members);
  EXPECT_EQ(*again.recovered.snapshot.data, "image");
}

// Goal: a new log survives a crash right after it was opened.
TEST(RaftStore, NewLogIsDurable) {
  sim::SimDisk disk(2);
  open(disk);
  disk.crash();
  EXPECT_EQ(text_of(open(disk).recovered), "term 0 vote -1 snapshot 0");
}

// Goal: a checkpoint carries snapshot, hard state and what follows, and only its two files stay.
TEST(RaftStore, CheckpointReplacesLog) {
  sim::SimDisk disk(3);
  {
    auto store = open(disk).store;
    std::vector<Entry> entries;
    for (int i = 1; i <= 9; ++i) entries.push_back(entry(i, 1, "x"));
    ASSERT_TRUE(store->write(HardState{Term(1), NodeId(1)}, entries).has_value());
    const std::vector<Entry> kept = {entry(8, 1, "x"), entry(9, 1, "y")};
    ASSERT_TRUE(store->checkpoint({Index(7), Term(1), data("image")}, {Term(1), NodeId(1)}, kept)
                    .has_value());
    const std::vector<Entry> more = {entry(10, 1, "z")};
    ASSERT_TRUE(store->write(std::nullopt, more).has_value());
    ASSERT_TRUE(store->sync().has_value());
  }
  disk.crash();
  auto opened = open(disk);
  EXPECT_EQ(text_of(opened.recovered), "term 1 vote 1 snapshot 7 8/1=x 9/1=y 10/1=z");
  EXPECT_EQ(*opened.recovered.snapshot.data, "image");
  auto listed = disk.list(kDirectory);
  ASSERT_TRUE(listed.has_value());
  ASSERT_EQ(listed->size(), 2u);
}

// Goal: a torn tail is cut wherever it tears, and what was synced before it stays. Method: cut the
// file at every length behind the synced part.
TEST(RaftStore, CutsTornTail) {
  std::uint64_t synced = 0;
  std::uint64_t whole = 0;
  for (std::uint64_t length = 0; length == 0 || length < whole; ++length) {
    sim::SimDisk disk(4);
    {
      auto store = open(disk).store;
      const std::vector<Entry> first = {entry(1, 1, "kept")};
      ASSERT_TRUE(store->write(HardState{Term(1), NodeId(1)}, first).has_value());
      ASSERT_TRUE(store->sync().has_value());
      synced = store->log_bytes();
      const std::vector<Entry> second = {entry(2, 1, "torn")};
      ASSERT_TRUE(store->write(std::nullopt, second).has_value());
      whole = store->log_bytes();
    }
    if (length < synced) length = synced;
    disk.kill_process();
    auto file = disk.open(kSegment, io::OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->truncate(length).has_value());
    auto opened = open(disk);
    EXPECT_EQ(text_of(opened.recovered), "term 1 vote 1 snapshot 0 1/1=kept") << length;
    EXPECT_EQ(opened.bytes_cut, length - synced);
    const std::vector<Entry> again = {entry(2, 2, "new")};
    ASSERT_TRUE(opened.store->write(std::nullopt, again).has_value());
    EXPECT_EQ(text_of(open(disk).recovered), "term 1 vote 1 snapshot 0 1/1=kept 2/2=new");
  }
}

// Goal: damage to what was synced is not taken for a torn tail: the log does not open, and says
// where. Method: flip one bit at each place of what later frames know to be synced.
TEST(RaftStore, RefusesDamageBeforeTheSyncedEnd) {
  sim::SimDisk disk(5);
  std::uint64_t synced = 0;
  {
    auto store = open(disk).store;
    const std::vector<Entry> first = {entry(1, 1, "one")};
    ASSERT_TRUE(store->write(HardState{Term(1), NodeId(1)}, first).has_value());
    ASSERT_TRUE(store->sync().has_value());
    synced = store->log_bytes();
    const std::vector<Entry> second = {entry(2, 1, "two")};
    ASSERT_TRUE(store->write(std::nullopt, second).has_value());
    ASSERT_TRUE(store->sync().has_value());
  }
  for (std::uint64_t at = 0; at < synced; ++at) {
    disk.flip_bit(kSegment, at, static_cast<int>(at % 8));
    auto opened = RaftStore::open(disk, kDirectory, base::Uuid{1, 2});
    EXPECT_FALSE(opened.has_value()) << at;
    if (!opened) {
      EXPECT_NE(opened.error().what.find(kSegment), std::string::npos);
    }
    disk.flip_bit(kSegment, at, static_cast<int>(at % 8));
  }
  EXPECT_EQ(text_of(open(disk).recovered), "term 1 vote 1 snapshot 0 1/1=one 2/1=two");
}

// Goal: a damaged or missing snapshot is an error, never an empty cluster.
TEST(RaftStore, RefusesDamagedOrMissingSnapshot) {
  sim::SimDisk disk(6);
  {
    auto store = open(disk).store;
    const std::vector<Entry> entries = {entry(1, 1, "x")};
    ASSERT_TRUE(store->write(std::nullopt, entries).has_value());
    ASSERT_TRUE(store->checkpoint({Index(1), Term(1), data("image")}, {Term(1), NodeId(1)}, {})
                    .has_value());
  }
  const std::string path = kDirectory + "/00000000000000000001.snapshot";
  disk.flip_bit(path, 26, 3);
  EXPECT_FALSE(RaftStore::open(disk, kDirectory, base::Uuid{1, 2}).has_value());
  disk.flip_bit(path, 26, 3);
  EXPECT_TRUE(RaftStore::open(disk, kDirectory, base::Uuid{1, 2}).has_value());
  ASSERT_TRUE(disk.remove(path).has_value());
  EXPECT_FALSE(RaftStore::open(disk, kDirectory, base::Uuid{1, 2}).has_value());
}

// Goal: after a failed sync nothing is claimed any more, although the disk works again.
TEST(RaftStore, FailsForGoodAfterFailedSync) {
  sim::SimDisk disk(7);
  auto store = open(disk).store;
  const std::vector<Entry> entries = {entry(1, 1, "x")};
  disk.faults.fail_sync = disk.syncs();
  ASSERT_TRUE(store->write(std::nullopt, entries).has_value());
  EXPECT_FALSE(store->sync().has_value());
  EXPECT_TRUE(store->failed());
  EXPECT_FALSE(store->write(std::nullopt, entries).has_value());
  EXPECT_FALSE(store->sync().has_value());
  EXPECT_FALSE(
      store->checkpoint({Index(1), Term(1), data("i")}, {Term(1), NodeId(1)}, {}).has_value());
}

// Goal: no bytes make the frame reader read beyond its input or accept what is not a frame. Method:
// random bytes, and whole frames with random damage.
TEST(WalFormat, ReadsOnlyWholeFrames) {
  base::Random random(8);
  base::Bytes frame;
  wal::append(frame, entry(7, 3, "some data"), 2, 0, 0);
  for (int round = 0; round < 5000; ++round) {
    base::Bytes bytes = frame;
    if (random.chance(1, 2)) {
      bytes.resize(random.below(frame.size() + 20));
      for (auto& each : bytes) each = static_cast<std::byte>(random.below(256));
    } else {
      bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1 + random.below(255));
    }
    EXPECT_FALSE(wal::read(bytes, 0, 2).has_value());
  }
  ASSERT_TRUE(wal::read(frame, 0, 2).has_value());
  EXPECT_FALSE(wal::read(frame, 0, 3).has_value());     // of another generation
  EXPECT_FALSE(wal::read(frame, 1000, 2).has_value());  // beyond the end
}

}  // namespace
}  // namespace controller
