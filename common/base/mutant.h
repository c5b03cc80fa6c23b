// Seeded defects, to prove that the simulator finds such: MUTANT("name") is false in every product
// build. Only the libraries that tests/sim compiles again with MOLDAU_MUTANTS can switch one on.
#pragma once

#ifdef MOLDAU_MUTANTS
#include <string_view>
namespace base {
inline std::string_view active_mutant;
}
#define MUTANT(name) (::base::active_mutant == (name))
#else
#define MUTANT(name) false
#endif
