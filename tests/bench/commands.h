// The four loads. Each runs a warm-up, measures, and returns what it saw as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/bench/client.h"

namespace bench {

struct ProduceOptions {
  std::uint64_t warm_records = 0;  // as fast as they go, before the measurement
  std::uint64_t records = 0;
  std::uint64_t rate = 0;  // records/s offered while measuring; 0: as fast as they go
  std::uint32_t record_size = 1024;
  bool text = false;
  std::uint64_t keys = 0;  // how many distinct keys, drawn at random; 0: no key
  std::uint64_t seed = 1;
};

// Records without a key (unless some are asked for), so that librdkafka's sticky partitioner fills
// whole batches.
nlohmann::json produce(const ClientOptions& client, const ProduceOptions& options);

struct ConsumeOptions {
  std::int32_t partitions = 1;
  std::uint64_t records = 0;  // in the topic: one pass reads them all
  int warm_passes = 1;
  int passes = 1;
};

// Reads the whole topic from its start, again and again, in no group.
nlohmann::json consume(const ClientOptions& client, const ConsumeOptions& options);

struct OpenLoopOptions {
  std::uint64_t rate = 1000;  // records/s, on a fixed schedule that waits for nothing
  double warm_seconds = 5;
  double seconds = 20;
  std::uint32_t record_size = 512;
  std::uint64_t seed = 1;
};

// Latency runs from the time a record should have been sent to its delivery report: a stall of the
// broker counts for every record that was due meanwhile.
nlohmann::json open_loop(const ClientOptions& client, const OpenLoopOptions& options);

struct TransactOptions {
  int every_ms = 100;
  std::uint64_t records_per_commit = 2'000;
  double warm_seconds = 5;
  double seconds = 20;
  std::uint32_t record_size = 1024;
  std::uint64_t seed = 1;
};

// One transactional producer that commits every so often; the next transaction begins when the
// commit is answered.
nlohmann::json transact(const ClientOptions& client, const TransactOptions& options);

}  // namespace bench
