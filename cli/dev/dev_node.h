// One node in one process: a broker and a one-voter controller over the real seams, as `moldau dev`
// runs it. Made and run by main's thread; everything else happens on its reactors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct DevOptions {
  std::string data_dir;
  std::optional<std::uint16_t> port;       // Kafka protocol; 0 picks one. None: 9092
  std::optional<std::uint16_t> http_port;  // health and metrics; 0 picks one. None: 9644
  std::string config_file;                 // YAML; empty: none
  std::vector<std::string> sets;           // "key=value", over the file
  std::string log_level = "info";
  std::string log_format;  // "text" or "json"; empty: by what stdout is
};

// Exit codes beyond 0 and 1 (docs/cli.md).
inline constexpr int kExitBadConfig = 3;
inline constexpr int kExitDirectoryInUse = 4;
inline constexpr int kExitDamagedData = 5;

// Runs until SIGINT or SIGTERM; the exit code. Call before any thread exists.
int run_dev(const DevOptions& options);

}  // namespace cli
