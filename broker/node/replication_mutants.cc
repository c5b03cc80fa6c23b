// Proves that the run of test_replication_run.h finds defects: each seeded one
// (common/base/mutant.h) must make one of the seeds fail. With a name, tries that one only.
#include <cstdio>
#include <string>

#include "broker/node/test_replication_run.h"
#include "common/base/mutant.h"

namespace {

constexpr const char* kMutants[] = {
    "replica-acks-alone",       "replica-counts-minimal-isr", "replica-cuts-to-watermark",
    "node-serves-stale-epochs", "node-shows-unsynced",        "node-acks-before-sync",
    "replica-trusts-watermark",
};
constexpr std::uint64_t kSeedsMax = 200;

bool fails(const char* mutant, std::uint64_t seed) {
  base::active_mutant = mutant;
  const std::string why = broker::test::replication_run(seed);
  if (why.empty()) return false;
  std::printf("%-30s seed %llu: %s\n", mutant, static_cast<unsigned long long>(seed), why.c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int missed = 0;
  for (const char* mutant : kMutants) {
    if (argc > 1 && argv[1] != std::string(mutant)) continue;
    std::uint64_t seed = 1;
    while (seed <= kSeedsMax && !fails(mutant, seed)) ++seed;
    if (seed <= kSeedsMax) continue;
    std::printf("%-30s missed\n", mutant);
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}
