#include "tests/sim/cluster/fresh_readers.h"

#include <chrono>

namespace sim {

std::int64_t FreshReaders::read(const std::string& topic, std::int32_t partition,
                                const std::string& name) {
  PartitionHistory& history = cluster_.facts.history(topic, partition);
  auto& reader = *readers_.emplace_back(std::make_unique<TailReader>(
      cluster_.facts, name, cluster_.broker_hosts(), topic, partition));
  const auto end = history.by_offset().empty() ? 0 : history.by_offset().rbegin()->first + 1;
  reader.start();
  const auto read = [&] { return reader.position() >= end; };
  if (!cluster_.world.run_until(read, std::chrono::seconds(60))) {
    cluster_.facts.no_progress("nobody can read all of partition " + std::to_string(partition));
    return -1;
  }
  history.check_contents(reader.records(), 0, reader.position());
  return reader.position();
}

}  // namespace sim
