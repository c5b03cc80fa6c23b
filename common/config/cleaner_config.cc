#include "common/config/cleaner_config.h"

#include "common/base/check.h"
#include "common/config/number.h"

namespace config {
namespace {

template <class Number>
Number read(const BrokerLayers& layers, std::string_view key) {
  const auto text = layers.value(key);
  CHECK(text.has_value());
  return number<Number>(*text);
}

}  // namespace

CleanerConfig CleanerConfig::resolve(const BrokerLayers& layers) {
  return {.enable = layers.value("log.cleaner.enable") == "true",
          .threads = read<std::int32_t>(layers, "log.cleaner.threads"),
          .dedupe_buffer_bytes = read<std::int64_t>(layers, "log.cleaner.dedupe.buffer.size"),
          .buffer_load_factor = read<double>(layers, "log.cleaner.io.buffer.load.factor"),
          .io_bytes_per_second_max = read<double>(layers, "log.cleaner.io.max.bytes.per.second"),
          .backoff_ms = read<std::int64_t>(layers, "log.cleaner.backoff.ms")};
}

}  // namespace config
