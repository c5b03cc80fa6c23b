// The places and offsets of the records of one batch, and no more of them: for who has to open only
// a few. Every length is checked against the bytes that are there; what is inside a record, behind
// the length of its key, is not looked at. Pure; views the section.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/varint.h"

namespace record {

// As RecordReader: next() until false, then error() is empty or says what is wrong.
class RecordSteps {
 public:
  struct Step {
    std::int32_t offset_delta = 0;  // from BatchView::base_offset()
    bool has_key = false;
    base::BytesView bytes;  // the whole record with its length
  };
  // `section` is BatchView::records(), decompressed; `count` what the header declares.
  RecordSteps(base::BytesView section, std::int32_t count) : rest_(section), count_(count) {}

  bool next(Step& step) {
    if (index_ >= count_ || !error_.empty()) {
      if (error_.empty() && (count_ < 0 || !rest_.empty())) error_ = "the count is wrong";
      return false;
    }
    std::int32_t size = 0;
    const std::size_t prefix = base::load_varint(rest_, size);
    if (prefix == 0 || size < 0 || static_cast<std::size_t>(size) > rest_.size() - prefix) {
      return fail("the record length is malformed");
    }
    const auto whole = rest_.first(prefix + static_cast<std::size_t>(size));
    std::size_t at = prefix + 1;  // behind the attributes
    std::int64_t timestamp = 0;
    if (at > whole.size()) return fail("the record is empty");
    std::int32_t key = 0;
    if (!skip(at, base::load_varlong(whole.subspan(at), timestamp)) ||
        !skip(at, base::load_varint(whole.subspan(at), step.offset_delta)) ||
        !skip(at, base::load_varint(whole.subspan(at), key))) {
      return fail("the record ends before its key");
    }
    step.has_key = key >= 0;
    step.bytes = whole;
    rest_ = rest_.subspan(whole.size());
    ++index_;
    return true;
  }
  std::string_view error() const { return error_; }
  // Records stepped over so far: the index of the malformed one.
  std::int32_t index() const { return index_; }

 private:
  static bool skip(std::size_t& at, std::size_t size) {
    at += size;
    return size != 0;
  }
  bool fail(std::string_view why) {
    error_ = why;
    return false;
  }

  base::BytesView rest_;
  std::int32_t count_;
  std::int32_t index_ = 0;
  std::string_view error_;
};

}  // namespace record
