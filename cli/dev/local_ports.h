// Ports of 127.0.0.1: which are free, and whether a node behind one is ready. Blocking, shortly.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "common/base/random.h"

namespace cli {

bool is_free(std::uint16_t port);

// Gives each port once.
class PortPicker {
 public:
  explicit PortPicker(std::uint64_t seed) : random_(seed) {}
  // Marks a port as given.
  void take(std::uint16_t port) { taken_.insert(port); }
  // `preferred` if it is free and not 0, else some other one below those that the system gives to
  // outgoing connections, so that it is still there for the next start. 0: none was found.
  std::uint16_t pick(std::uint16_t preferred);

 private:
  base::Random random_;
  std::set<std::uint16_t> taken_;
};

struct Readiness {
  bool ready = false;
  std::string why_not;  // the first check that fails; empty when nobody answers
};
// Asks a node's GET /readyz.
Readiness ask_readiness(std::uint16_t http_port, std::chrono::milliseconds patience);

}  // namespace cli
