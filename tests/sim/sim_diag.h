// What a simulated process tells its operator: printed with the trace when one seed is looked at,
// and otherwise dropped. No part of the digest.
#pragma once

#include <cstdio>
#include <string>

#include "common/base/diag.h"
#include "tests/sim/world.h"

namespace sim {

class SimDiag final : public base::Diag {
 public:
  SimDiag(const World& world, std::string who) : world_(world), who_(std::move(who)) {}
  void write(Level level, std::string_view, std::string_view message,
             const Details& details) override {
    if (!world_.verbose() || level == Level::kDebug) return;
    std::string line = who_ + ": " + std::string(message);
    for (const auto& [key, value] : details) line += " " + std::string(key) + "=" + value;
    const double now = static_cast<double>(world_.now().time_since_epoch().count()) / 1e9;
    std::fprintf(stderr, "%12.6f %s\n", now, line.c_str());
  }

 private:
  const World& world_;
  const std::string who_;
};

}  // namespace sim
