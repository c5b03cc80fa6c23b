// CRC-32C (Castagnoli), the checksum of record batches and checkpoints. The check value of
// "123456789" is 0xe3069283.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"

namespace base {

// The checksum of `bytes`; `before` is the checksum of what precedes them, so that
// crc32c(b, crc32c(a)) == crc32c(a + b).
std::uint32_t crc32c(BytesView bytes, std::uint32_t before = 0);

// The same without special instructions: for machines that isa-l does not know, and to test with.
std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t before = 0);

}  // namespace base
