// Makes a row of codec_table.h. Included by generated sources only.
#pragma once

#include <vector>

#include "common/wire/codec_table.h"
#include "common/wire/reader.h"

namespace wire {

template <class T>
Recoded recode(base::BytesView in, std::int16_t version, Writer& out) {
  Recoded result;
  Reader reader(in);
  T first;
  result.decoded = first.decode(reader, version);
  result.consumed = reader.offset();
  result.error = reader.error();
  if (!result.decoded) return result;
  first.encode(out, version);
  Reader again(out.bytes());
  T second;
  result.same =
      out.ok() && second.decode(again, version) && again.remaining() == 0 && first == second;
  return result;
}

template <class T>
bool decode_only(base::BytesView in, std::int16_t version) {
  Reader reader(in);
  T message;
  return message.decode(reader, version);
}

template <class T>
Codec codec_of(std::string_view source, std::string_view kind, std::string_view name,
               std::int16_t key) {
  return {.source = source,
          .kind = kind,
          .name = name,
          .key = key,
          .version_min = T::kVersionMin,
          .version_max = T::kVersionMax,
          .flexible_since = T::kFlexibleSince,
          .recode = recode<T>,
          .decode = decode_only<T>};
}

}  // namespace wire
