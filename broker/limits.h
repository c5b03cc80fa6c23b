// Every bound of the broker, with its reason and what happens at it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace broker::limits {

// Unanswered requests of one connection; at the bound the socket is not read. librdkafka's default
// pipelines far more than it needs; a hundred keep any link busy.
inline constexpr std::size_t kRequestsInFlightMax = 128;

// Responses queued for a slow reader; at the bound its next request waits.
inline constexpr std::uint64_t kSendQueueBytesMax = 16 << 20;

// Longest request other than Produce. Decoding may take tens of times the bytes of a request (the
// worst measured is 43: arrays of empty structs), so this bounds what one connection can claim;
// real ones stay below one MiB.
inline constexpr std::int32_t kOtherRequestBytesMax = 8 << 20;

// A frame that was begun must make progress within this; else the connection ends.
inline constexpr std::chrono::seconds kPartialFrameMax{30};

// What one response may carry in records; a client's larger wish is cut to it.
inline constexpr std::int64_t kFetchBytesMax = 55 << 20;

}  // namespace broker::limits
