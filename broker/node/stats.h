// What one reactor counts for /metrics. Written by its thread, read by any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/histogram.h"
#include "common/base/time.h"

namespace broker {

struct ReactorStats {
  static constexpr std::size_t kApiKeys = 96;

  base::Counter connections_opened;
  base::Counter connections_closed;
  base::Counter connections_refused;   // ended by us for what they sent
  base::Counter connections_recalled;  // ended by us as another broker fell silent
  base::Counter bytes_in;
  base::Counter bytes_out;
  base::Counter produce_refused;  // batches answered with an error
  base::Counter records_in;
  base::Counter batches_in;
  base::Counter fetch_bytes_out;
  std::array<base::Counter, kApiKeys> requests;
  // From the arrival of the whole request to the response's way to the socket, in ns.
  base::Histogram produce_ns;
  base::Histogram fetch_ns;
  base::Histogram other_ns;

  void record_request(std::int16_t api_key, base::Duration took) {
    const auto key = static_cast<std::size_t>(api_key);
    if (key < kApiKeys) requests[key].add(1);
    const auto ns = static_cast<std::uint64_t>(took.count() < 0 ? 0 : took.count());
    (api_key == 0 ? produce_ns : api_key == 1 ? fetch_ns : other_ns).record(ns);
  }
};

}  // namespace broker
