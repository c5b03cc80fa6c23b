// Every generated message behind one interface, for property tests and fuzzing; no product code
// links it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/wire/writer.h"

namespace wire {

struct Recoded {
  bool decoded = false;
  // Bytes of the input that the message took.
  std::size_t consumed = 0;
  // The reader's, if not decoded.
  std::string error;
  // Whether decoding what was encoded gave the same message and took all of it.
  bool same = false;
};

struct Codec {
  std::string_view source;  // schema file below common/wire/schema
  std::string_view kind;    // "request", "response", "coordinator-key", "coordinator-value", "data"
  std::string_view name;    // "MetadataRequest"
  std::int16_t key;         // of the API or the record type; -1 for data
  std::int16_t version_min;
  std::int16_t version_max;
  std::int16_t flexible_since;
  // Decodes `in`, encodes the message into `out` and decodes that again.
  Recoded (*recode)(base::BytesView in, std::int16_t version, Writer& out);
  // Only decodes.
  bool (*decode)(base::BytesView in, std::int16_t version);
};

// In the order of the schema files.
std::span<const Codec> all_codecs();

}  // namespace wire
