// What the actors of one run share: the world, its network, and the histories.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/wire/records.h"
#include "tests/sim/node/history.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/world.h"

namespace sim {

struct Facts {
  explicit Facts(World& at) : world(at), network(at), commits(at) {}

  PartitionHistory& history(const std::string& topic, std::int32_t partition) {
    const std::string name = topic + "-" + std::to_string(partition);
    return histories.try_emplace(name, world, name).first->second;
  }
  Value new_value() { return ++last_value; }
  void wrong(const std::string& why) { world.fail(Verdict::kIncorrect, why); }
  void no_progress(const std::string& why) { world.fail(Verdict::kNoProgress, why); }

  // How long a client waits before it does something again. Half of the time it does not dawdle,
  // so that slow clients too have several requests under way.
  base::Duration think(base::Random& random, std::int64_t min_us, std::int64_t max_us) const {
    const std::int64_t swift = random.between(min_us, max_us);
    const bool dawdles = slowness > 1 && random.chance(1, 2);
    return std::chrono::microseconds(dawdles ? swift * (2 * slowness - 1) : swift);
  }

  // The mean time between two operations of a client, as a multiple of that of the busiest.
  std::int64_t slowness = 1;

  World& world;
  SimNetwork network;
  std::map<std::string, PartitionHistory> histories;
  CommitHistory commits;
  Value last_value = 0;
};

struct Polled {
  std::int64_t offset;
  Value value;
};
// The records of a Fetch answer; tells `facts` what is wrong with them. A batch that was cut short
// at the end is left out.
std::vector<Polled> parse_records(Facts& facts, const wire::Records& records);

// A batch of one record for each value, padded.
struct BatchIdentity {
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t sequence = -1;
};
base::Bytes make_value_batch(const std::vector<Value>& values, base::WallMs timestamp,
                             std::size_t padding, BatchIdentity identity = {});

}  // namespace sim
