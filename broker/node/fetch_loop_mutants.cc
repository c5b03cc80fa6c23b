// Proves that the tests of the fetch loop find defects: each seeded one (common/base/mutant.h) must
// make one of them fail, and none must fail without.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "common/base/mutant.h"
#include "tests/sim/mutant_child.h"

namespace {

constexpr const char* kMutants[] = {"repl-fetches-before-flush", "repl-ignores-errors",
                                    "repl-keeps-what-it-gave-up"};

// In a child each: a defect may well abort.
bool fails(const char* mutant, int argc, char** argv) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(1);
    ::close(2);
    base::active_mutant = mutant;
    testing::InitGoogleTest(&argc, argv);
    ::_exit(RUN_ALL_TESTS());
  }
  return sim::child_finds(mutant, child);
}

}  // namespace

int main(int argc, char** argv) {
  int wrong = 0;
  if (fails("", argc, argv)) {
    std::printf("the tests fail without a defect\n");
    ++wrong;
  }
  for (const char* mutant : kMutants) {
    const bool found = fails(mutant, argc, argv);
    std::printf("%-30s %s\n", mutant, found ? "found" : "missed");
    wrong += found ? 0 : 1;
  }
  return wrong == 0 ? 0 : 1;
}
