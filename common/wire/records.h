// The record batches of one partition inside a message. Decoded, it is a view into the frame and
// lives as long as the frame's bytes do. For encoding it holds either a view of bytes, which the
// Writer copies, or a splice: only the length is written, and whoever sends the message puts
// `external_size` bytes of external piece number `external_index` (a slice of a segment file,
// counted by the caller) at the place that the Writer remembers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/bytes.h"

namespace wire {

struct Records {
  bool is_null = true;
  bool is_external = false;
  base::BytesView bytes;
  std::uint64_t external_size = 0;
  std::uint32_t external_index = 0;

  static Records of(base::BytesView view) { return {.is_null = false, .bytes = view}; }
  static Records external(std::uint64_t size, std::uint32_t index) {
    return {.is_null = false, .is_external = true, .external_size = size, .external_index = index};
  }

  std::uint64_t size() const { return is_external ? external_size : bytes.size(); }

  // Equal contents; two splices are equal if they name the same piece.
  friend bool operator==(const Records& a, const Records& b) {
    return a.is_null == b.is_null && a.is_external == b.is_external &&
           a.external_size == b.external_size && a.external_index == b.external_index &&
           std::ranges::equal(a.bytes, b.bytes);
  }
};

}  // namespace wire
