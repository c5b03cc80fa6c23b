// Any key and value as a record of __consumer_offsets: decoded without harm, and what is understood
// is written back and read as the same. The first two bytes say how long the key is.
#include <cstdint>

#include "broker/group/record_codec.h"
#include "common/base/check.h"

using namespace broker::group;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::BytesView all(reinterpret_cast<const std::byte*>(data), size);
  if (size < 2) return 0;
  const std::size_t key_size = base::load_be<std::uint16_t>(all.data());
  if (key_size > size - 2) return 0;
  const LogRecord record = decode_record(all.subspan(2, key_size), all.subspan(2 + key_size));
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) {
    const Record again = encode_offset(offset->group_id, offset->at, *offset->value);
    CHECK(std::holds_alternative<OffsetRecord>(decode_record(again.key, *again.value)));
  } else if (const auto* group = std::get_if<GroupRecord>(&record)) {
    const Record again = encode_group(*group->value);
    const LogRecord twice = decode_record(again.key, *again.value);
    CHECK(std::get<GroupRecord>(twice).value->members.size() == group->value->members.size());
  }
  return 0;
}
