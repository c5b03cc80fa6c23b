// What generated messages share: arrays and tagged fields. Included by generated sources only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "common/base/uuid.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace wire::codec {

template <class T>
void read_element(Reader& in, T& to, const char* field, bool flexible, std::int16_t version) {
  if constexpr (std::is_same_v<T, std::string>) {
    to = in.read_string(field, flexible);
  } else if constexpr (std::is_same_v<T, base::Uuid>) {
    to = in.read_uuid(field);
  } else if constexpr (std::is_arithmetic_v<T>) {
    to = in.read_number<T>(field);
  } else {
    to.decode(in, version);
  }
}

template <class T>
void write_element(Writer& out, const T& from, const char* field, bool flexible,
                   std::int16_t version) {
  if constexpr (std::is_same_v<T, std::string>) {
    out.write_string(field, from, flexible);
  } else if constexpr (std::is_same_v<T, base::Uuid>) {
    out.write_uuid(from);
  } else if constexpr (std::is_arithmetic_v<T>) {
    out.write_number(from);
  } else {
    from.encode(out, version);
  }
}

template <class T>
void read_elements(Reader& in, std::vector<T>& to, std::size_t count, const char* field,
                   bool flexible, std::int16_t version) {
  to.resize(count);
  for (T& element : to) {
    if (!in.ok()) return;
    read_element(in, element, field, flexible, version);
  }
}

template <class T>
void read_array(Reader& in, std::vector<T>& to, const char* field, bool flexible,
                std::size_t element_size_min, std::int16_t version) {
  std::size_t count = in.read_array_count(field, flexible, false, element_size_min).value_or(0);
  read_elements(in, to, count, field, flexible, version);
}

template <class T>
void read_nullable_array(Reader& in, std::optional<std::vector<T>>& to, const char* field,
                         bool flexible, bool nullable, std::size_t element_size_min,
                         std::int16_t version) {
  std::optional<std::size_t> count =
      in.read_array_count(field, flexible, nullable, element_size_min);
  if (!count) return to.reset();
  read_elements(in, to.emplace(), *count, field, flexible, version);
}

template <class T>
void write_array(Writer& out, const std::vector<T>& from, const char* field, bool flexible,
                 std::int16_t version) {
  out.write_array_count(field, from.size(), flexible);
  for (const T& element : from) write_element(out, element, field, flexible, version);
}

template <class T>
void write_nullable_array(Writer& out, const std::optional<std::vector<T>>& from, const char* field,
                          bool flexible, bool nullable, std::int16_t version) {
  if (!from) return out.write_null_array(flexible, nullable);
  write_array(out, *from, field, flexible, version);
}

// A nullable struct; the marker before it is a varint inside a tagged field and a byte elsewhere.
template <class T>
void read_nullable_struct(Reader& in, std::optional<T>& to, const char* field, bool tagged,
                          std::int16_t version) {
  bool present = tagged ? in.read_unsigned_varint(field) > 0 : in.read_presence(field);
  if (!present || !in.ok()) return to.reset();
  to.emplace().decode(in, version);
}

template <class T>
void write_nullable_struct(Writer& out, const std::optional<T>& from, bool tagged,
                           std::int16_t version) {
  if (tagged) {
    out.write_unsigned_varint(from ? 1 : 0);
  } else {
    out.write_presence(from.has_value());
  }
  if (from) from->encode(out, version);
}

// Reads a struct's tagged fields; `read_known(number)` reads one and says whether it knew it.
template <class F>
void read_tags(Reader& in, F read_known) {
  std::uint32_t count = in.read_tag_count();
  std::int64_t previous = -1;
  for (; count > 0 && in.ok(); --count) {
    Reader::Tag tag = in.read_tag(previous);
    previous = tag.number;
    in.end_tag(tag, in.ok() && read_known(tag.number));
  }
}

}  // namespace wire::codec
