#include "broker/group/partition_of.h"

#include "common/base/check.h"

namespace broker::group {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

std::uint8_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<std::uint8_t>(text[index]);
}

// Takes one code point off `text` from `index` on. Malformed bytes are one U+FFFD each, as Java's
// decoder would have it for lone bytes.
std::uint32_t next_code_point(std::string_view text, std::size_t& index) {
  const std::uint8_t lead = byte_at(text, index++);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xf0 && lead < 0xf8   ? 3
                   : lead >= 0xe0 && lead < 0xf0 ? 2
                   : lead >= 0xc2 && lead < 0xe0 ? 1
                                                 : 0;
  if (more == 0 || index + static_cast<std::size_t>(more) > text.size()) return kReplacement;
  std::uint32_t point = lead & (0x3fu >> more);
  for (int i = 0; i < more; ++i) {
    const std::uint8_t byte = byte_at(text, index + static_cast<std::size_t>(i));
    if ((byte & 0xc0) != 0x80) return kReplacement;
    point = point << 6 | (byte & 0x3f);
  }
  index += static_cast<std::size_t>(more);
  return point;
}

template <class Visit>
void for_each_utf16(std::string_view utf8, Visit visit) {
  for (std::size_t index = 0; index < utf8.size();) {
    const std::uint32_t point = next_code_point(utf8, index);
    if (point < 0x10000) {
      visit(point);
    } else {
      visit(0xd800 + ((point - 0x10000) >> 10));
      visit(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
}

}  // namespace

std::int32_t java_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  for_each_utf16(utf8, [&](std::uint32_t unit) { hash = hash * 31 + unit; });
  return static_cast<std::int32_t>(hash);
}

std::int32_t partition_of(std::string_view group_id, std::int32_t partition_count) {
  CHECK(partition_count > 0);
  return (java_hash(group_id) & 0x7fffffff) % partition_count;
}

std::size_t utf16_length(std::string_view utf8) {
  std::size_t length = 0;
  for_each_utf16(utf8, [&](std::uint32_t) { ++length; });
  return length;
}

std::string_view utf8_prefix(std::string_view utf8, std::size_t bytes_max) {
  if (utf8.size() <= bytes_max) return utf8;
  std::size_t size = bytes_max;
  while (size > 0 && (byte_at(utf8, size) & 0xc0) == 0x80) --size;
  return utf8.substr(0, size);
}

}  // namespace broker::group
