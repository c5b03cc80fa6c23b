// A partition directory that Apache Kafka 4.3.1 wrote (testdata/kafka-4.3.1: 200 records in five
// codecs, with committed and aborted transactions and one unclean end): it opens and serves, and
// from its data alone we write the same files beside it, byte for byte.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "broker/log/test_log.h"
#include "common/record/compress.h"

namespace broker {
namespace {

class KafkaFilesTest : public LogTest {
 protected:
  void SetUp() override {
    config.index_interval_bytes = 300;
    config.segment_ms = 60'000;
    for (const auto& entry : std::filesystem::directory_iterator("testdata/kafka-4.3.1/golden-0")) {
      std::ifstream in(entry.path(), std::ios::binary);
      std::ostringstream content;
      content << in.rdbuf();
      kafkas[entry.path().filename().string()] = content.str();
    }
    ASSERT_EQ(kafkas.size(), 15u);
  }
  void put(const std::string& name, std::string_view content) {
    ASSERT_TRUE(disk.replace_file(directory + "/" + name, content));
  }
  void put_all(std::string_view suffix = "") {
    for (const auto& [name, content] : kafkas) {
      if (name.ends_with(suffix)) put(name, content);
    }
  }
  // Values of all records from the start to the end, and how many control batches there are.
  void check_contents() {
    EXPECT_EQ(log->start_offset(), base::Offset(0));
    EXPECT_EQ(log->end_offset(), base::Offset(212));
    std::int64_t at = 0;
    int records = 0;
    int markers = 0;
    while (at < 212) {
      const base::Bytes bytes = bytes_of(read(at));
      record::BatchReader reader(bytes);
      while (const auto batch = reader.next()) {
        ASSERT_TRUE(batch->crc_ok());
        ASSERT_EQ(batch->base_offset().value(), at);
        at = batch->next_offset().value();
        if (batch->is_control()) {
          ++markers;
          continue;
        }
        const auto section = record::decompress(*batch->codec(), batch->records(), 1 << 20);
        ASSERT_TRUE(section);
        record::RecordReader each(*section, batch->count());
        record::RecordView record;
        while (each.next(record)) {
          const std::string number = std::to_string(records);
          EXPECT_EQ(base::as_text(*record.key), "k" + number);
          EXPECT_TRUE(base::as_text(*record.value).starts_with("value-" + number + "-"));
          ++records;
        }
      }
    }
    EXPECT_EQ(records, 200);
    EXPECT_EQ(markers, 12);
    const auto aborted = log->aborted_transactions(base::Offset(0), base::Offset(212));
    ASSERT_TRUE(aborted);
    EXPECT_EQ(aborted->size(), 6u);
  }
  // Time lookups against the producer's plan: five records, then nine seconds on. Behind the ninth
  // batch stand markers with the time of day, far later.
  void check_times() {
    for (int batch = 0; batch < 9; ++batch) {
      const base::WallMs time = 1'700'000'000'000 + batch * 9000;
      const auto found = log->prepare_lookup(time - 100, log->end_offset()).run();
      ASSERT_TRUE(found && *found);
      EXPECT_EQ((*found)->timestamp, time);
    }
  }

  std::map<std::string, std::string> kafkas;
};

// Goal: a directory that Kafka closed opens without a scan and serves. Method: as it says.
TEST_F(KafkaFilesTest, CleanDirectoryOpensAndServes) {
  put_all();
  const RecoveryReport report = open({.recovery_point = base::Offset(212), .clean_shutdown = true});
  EXPECT_FALSE(report.scanned);
  check_contents();
  check_times();
  EXPECT_TRUE(log->topic_id());
  // Kafka too forgets, when it loads a log, an epoch that has no records.
  EXPECT_EQ(kafkas["leader-epoch-checkpoint"], "0\n2\n0 0\n2 212\n");
  EXPECT_EQ(log->epochs().encode(), "0\n1\n0 0\n");
  EXPECT_EQ(log->producers().size(), 8u);
}

// Goal: a directory that Kafka left with a crash opens: the active segment's indexes are mostly
// room. Method: the clean one, made to look so.
TEST_F(KafkaFilesTest, CrashedDirectoryOpensAndServes) {
  put_all();
  const std::string base = "00000000000000000045";
  put(base + ".index", kafkas[base + ".index"] + std::string(10'485'760 - 144, '\0'));
  put(base + ".timeindex", kafkas[base + ".timeindex"] + std::string(10'485'756 - 108, '\0'));
  put(base + ".log", kafkas[base + ".log"] + std::string(300, '\0'));
  ASSERT_TRUE(disk.remove(directory + "/00000000000000000212.snapshot"));
  const RecoveryReport report = open({.recovery_point = base::Offset(45)});
  EXPECT_TRUE(report.scanned);
  EXPECT_EQ(report.truncated_bytes, 300u);
  // The active segment and the end of the one before.
  EXPECT_EQ(report.scanned_bytes,
            kafkas[base + ".log"].size() + kafkas["00000000000000000035.log"].size());
  check_contents();
  check_times();
}

// Goal: what Kafka's compaction had done when it was stopped is finished. Method: the first two
// segments once more as one that is about to replace them, and leftovers.
TEST_F(KafkaFilesTest, InterruptedSwapIsFinished) {
  put_all();
  put("00000000000000000000.log.swap",
      kafkas["00000000000000000000.log"] + kafkas["00000000000000000035.log"]);
  put("00000000000000000000.index.swap", "");
  put("00000000000000000000.timeindex.swap", "");
  put("00000000000000000045.log.cleaned", "half");
  put("00000000000000000035.log.deleted", "old");
  open({.recovery_point = base::Offset(212), .clean_shutdown = true});
  EXPECT_EQ(log->segment_count(), 2u);
  check_contents();
  for (const std::string& name : names()) {
    EXPECT_FALSE(name.ends_with(".swap") || name.ends_with(".cleaned") ||
                 name.ends_with(".deleted"))
        << name;
  }
}

// Goal: indexes that we write for Kafka's data are Kafka's, byte for byte. Method: give recovery
// nothing but the data, close, compare. Snapshots after Kafka's own restart lack producers that it
// took for expired (the records bear old times) and stand in the order of its hash table.
TEST_F(KafkaFilesTest, OurFilesAreTheSame) {
  put_all(".log");
  put("leader-epoch-checkpoint", kafkas["leader-epoch-checkpoint"]);
  put("partition.metadata", kafkas["partition.metadata"]);
  open();
  check_contents();
  ASSERT_TRUE(log->close());
  for (const auto& [name, content] : kafkas) {
    if (name.ends_with("index") || name == "00000000000000000035.snapshot") {
      EXPECT_EQ(text(name), content) << name;
    }
  }
  EXPECT_EQ(names().size(), kafkas.size());
}

}  // namespace
}  // namespace broker
