// Opens a partition directory whose files hold arbitrary bytes: recovery must end, within the
// memory that the bytes warrant, and what it makes of them must be a log: it reads back, takes
// appends, and opens again as the same.
#include <cstdlib>

#include "broker/log/batch_scanner.h"
#include "broker/log/log.h"
#include "common/base/check.h"
#include "common/record/builder.h"
#include "tests/sim/disk/sim_disk.h"

namespace {

using broker::Log;

constexpr const char* kDirectory = "data/topic-0";
// The input is cut among these, by two bytes of length before each.
constexpr const char* kFiles[] = {
    "00000000000000000000.log",      "00000000000000000000.index", "00000000000000000000.timeindex",
    "00000000000000000000.txnindex", "00000000000000000009.log",   "00000000000000000009.index",
    "00000000000000000009.snapshot", "leader-epoch-checkpoint",    "partition.metadata"};

std::unique_ptr<Log> open(const broker::LogServices& services, const broker::OpenHints& hints) {
  broker::LogConfig config;
  config.index_interval_bytes = 64;
  auto opened = Log::open(services, kDirectory, config, hints);
  return opened ? std::move(opened->log) : nullptr;
}

void read_all(Log& log) {
  base::Offset at = log.start_offset();
  while (at < log.end_offset()) {
    const auto slice = log.read(
        {.from = at, .upper_bound = log.end_offset(), .bytes_max = 1 << 20, .may_block = true});
    if (!slice || slice->bytes.length == 0) return;
    base::Bytes bytes(slice->bytes.length);
    CHECK(slice->bytes.file->read_at(bytes, slice->bytes.position) == bytes.size());
    record::BatchReader reader(bytes);
    const base::Offset before = at;
    while (const auto batch = reader.next()) at = std::max(at, batch->next_offset());
    if (at == before) return;
  }
}

void use(Log& log) {
  read_all(log);
  (void)log.prepare_lookup(5, log.end_offset()).run();
  (void)log.prepare_max_timestamp(log.end_offset()).run();
  (void)log.aborted_transactions(log.start_offset(), log.end_offset());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::BytesView input(reinterpret_cast<const std::byte*>(data), size);
  if (input.size() < 2) return 0;
  const auto flags = static_cast<unsigned>(input[0]);
  const base::Offset point(static_cast<std::int64_t>(input[1]) % 16);
  input = input.subspan(2);
  sim::SimDisk disk(1);
  CHECK(disk.make_directories(kDirectory));
  for (const char* name : kFiles) {
    if (input.size() < 2) break;
    const std::size_t length =
        std::min<std::size_t>(base::load_be<std::uint16_t>(input.data()), input.size() - 2);
    auto file = disk.open(std::string(kDirectory) + "/" + name, io::OpenMode::kCreate);
    CHECK(file && (*file)->write_at(input.subspan(2, length), 0));
    input = input.subspan(2 + length);
  }
  CHECK(disk.sync_filesystem(kDirectory));

  broker::FileCache files(disk, 16);
  broker::LogHealth health;
  base::SilentDiag diag;
  const broker::LogServices services{disk, files, health, diag};
  auto log = open(services, {.recovery_point = point,
                             .clean_shutdown = (flags & 1) != 0,
                             .tolerate_loss = (flags & 2) != 0});
  if (!log) return 0;
  use(*log);
  base::Bytes batch = [] {
    record::BatchBuilder builder;
    builder.add(7, std::nullopt, base::as_bytes("value"));
    return builder.build();
  }();
  const base::MutableBytes view(batch);
  if (!log->append({&view, 1}, base::LeaderEpoch(1), 7)) return 0;
  const base::Offset end = log->end_offset();
  if (!log->close()) return 0;
  log = open(services,
             {.recovery_point = end, .clean_shutdown = true, .log_start = log->start_offset()});
  CHECK(log && log->end_offset() == end);
  use(*log);
  return 0;
}
