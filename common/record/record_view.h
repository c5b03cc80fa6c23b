// Records inside a batch, seen over the bytes of an uncompressed record section: no allocation,
// every length checked against the bytes that are there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"

namespace record {

struct HeaderView {
  std::string_view key;
  std::optional<base::BytesView> value;
};

// Headers of one record, as a list to loop over. They were checked when the record was read.
class HeaderList {
 public:
  class Iterator {
   public:
    using value_type = HeaderView;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(base::BytesView rest, std::int32_t left) : rest_(rest), left_(left) { read(); }
    const HeaderView& operator*() const { return header_; }
    const HeaderView* operator->() const { return &header_; }
    Iterator& operator++() {
      --left_;
      read();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.left_ == b.left_; }

   private:
    void read();
    base::BytesView rest_;
    std::int32_t left_ = 0;
    HeaderView header_;
  };

  HeaderList() = default;
  HeaderList(base::BytesView bytes, std::int32_t count) : bytes_(bytes), count_(count) {}
  Iterator begin() const { return {bytes_, count_}; }
  Iterator end() const { return {}; }
  std::int32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  // As they are encoded, without their count.
  base::BytesView bytes() const { return bytes_; }

 private:
  base::BytesView bytes_;
  std::int32_t count_ = 0;
};

struct RecordView {
  std::int8_t attributes = 0;
  std::int64_t timestamp_delta = 0;  // from BatchView::base_timestamp()
  std::int32_t offset_delta = 0;     // from BatchView::base_offset()
  std::optional<base::BytesView> key;
  std::optional<base::BytesView> value;
  HeaderList headers;
  base::BytesView bytes;  // the whole record with its length
};

// Steps through the records of one batch.
//   RecordReader reader(section, batch.count());
//   RecordView record;
//   while (reader.next(record)) ...
//   if (!reader.error().empty()) ... malformed
class RecordReader {
 public:
  // `section` is BatchView::records(), decompressed; `count` what the header declares.
  RecordReader(base::BytesView section, std::int32_t count) : rest_(section), count_(count) {}

  // Reads one record; false at the end and at the first malformed record.
  bool next(RecordView& record);
  // Empty, or what is wrong: after next() said false. Also when bytes are left behind the last.
  std::string_view error() const { return error_; }
  // Records read so far: the index of the malformed one.
  std::int32_t index() const { return index_; }

 private:
  bool fail(std::string_view why);

  base::BytesView rest_;
  std::int32_t count_;
  std::int32_t index_ = 0;
  std::string_view error_;
};

}  // namespace record
