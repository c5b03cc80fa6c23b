// Keys and values of the records in Kafka's internal topics (__consumer_offsets,
// __transaction_state, __share_group_state). A key is its type as an int16 and the key's fields,
// a value its version as an int16 and the value's fields. The generated structs
// (msg/offset_commit_key.h, ...) hold the fields, kRecordType of theirs the type.
//
// __consumer_offsets: types 0 and 1 are committed offsets, 2 a classic group, 3 and up the newer
// groups. A key of an unknown type is of a newer release: skip the record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace wire {

// The int16 that a key or a value begins with; nothing if it is too short.
inline std::optional<std::int16_t> coordinator_prefix(base::BytesView bytes) {
  if (bytes.size() < sizeof(std::int16_t)) return std::nullopt;
  return base::load_be<std::int16_t>(bytes.data());
}

// Nothing if a string is longer than the protocol can hold (32,767 bytes).
template <class Key>
std::optional<base::Bytes> encode_coordinator_key(const Key& key) {
  Writer out;
  out.write_number<std::int16_t>(Key::kRecordType);
  key.encode(out, Key::kVersionMax);
  if (!out.ok()) return std::nullopt;
  return out.take();
}

template <class Value>
std::optional<base::Bytes> encode_coordinator_value(const Value& value, std::int16_t version) {
  Writer out;
  out.write_number(version);
  value.encode(out, version);
  if (!out.ok()) return std::nullopt;
  return out.take();
}

// False for another type of key, and for damage.
template <class Key>
bool decode_coordinator_key(base::BytesView bytes, Key& key) {
  Reader in(bytes);
  if (in.read_number<std::int16_t>("coordinator key") != Key::kRecordType || !in.ok()) return false;
  return key.decode(in, Key::kVersionMax) && in.remaining() == 0;
}

// The version that the value was written in; nothing for a version that we do not know, and for
// damage.
template <class Value>
std::optional<std::int16_t> decode_coordinator_value(base::BytesView bytes, Value& value) {
  Reader in(bytes);
  auto version = in.read_number<std::int16_t>("coordinator value");
  if (!in.ok() || version < Value::kVersionMin || version > Value::kVersionMax) return std::nullopt;
  if (!value.decode(in, version) || in.remaining() != 0) return std::nullopt;
  return version;
}

}  // namespace wire
