#include "common/record/record_view.h"

#include "common/base/varint.h"

namespace record {
namespace {

// Takes values off the front of a span; every take says whether it could.
class Cursor {
 public:
  explicit Cursor(base::BytesView bytes) : rest_(bytes) {}

  base::BytesView rest() const { return rest_; }
  bool take_varint(std::int32_t& value) { return skip(base::load_varint(rest_, value)); }
  bool take_varlong(std::int64_t& value) { return skip(base::load_varlong(rest_, value)); }
  bool take_byte(std::int8_t& value) {
    if (rest_.empty()) return false;
    value = static_cast<std::int8_t>(rest_[0]);
    return skip(1);
  }
  bool take_bytes(std::int32_t size, base::BytesView& value) {
    if (size < 0 || static_cast<std::size_t>(size) > rest_.size()) return false;
    value = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(value.size());
    return true;
  }
  // A length, -1 for null, then so many bytes.
  bool take_nullable(std::optional<base::BytesView>& value) {
    std::int32_t size = 0;
    base::BytesView bytes;
    if (!take_varint(size)) return false;
    if (size == -1) {
      value.reset();
      return true;
    }
    if (!take_bytes(size, bytes)) return false;
    value = bytes;
    return true;
  }
  bool take_header(HeaderView& header) {
    std::int32_t size = 0;
    base::BytesView key;
    if (!take_varint(size) || !take_bytes(size, key)) return false;
    header.key = base::as_text(key);
    return take_nullable(header.value);
  }

 private:
  bool skip(std::size_t size) {
    rest_ = rest_.subspan(size);
    return size != 0;
  }
  base::BytesView rest_;
};

std::string_view read_headers(Cursor& cursor, HeaderList& headers) {
  std::int32_t count = 0;
  if (!cursor.take_varint(count)) return "the record ends before its header count";
  if (count < 0) return "the header count is negative";
  const base::BytesView bytes = cursor.rest();
  HeaderView header;
  for (std::int32_t i = 0; i < count; ++i)
    if (!cursor.take_header(header)) return "a header is malformed";
  headers = HeaderList(bytes.first(bytes.size() - cursor.rest().size()), count);
  return {};
}

std::string_view read_body(Cursor& cursor, RecordView& record) {
  if (!cursor.take_byte(record.attributes)) return "the record is empty";
  if (!cursor.take_varlong(record.timestamp_delta)) return "the timestamp delta is malformed";
  if (!cursor.take_varint(record.offset_delta)) return "the offset delta is malformed";
  if (!cursor.take_nullable(record.key)) return "the key does not fit the record";
  if (!cursor.take_nullable(record.value)) return "the value does not fit the record";
  if (const auto why = read_headers(cursor, record.headers); !why.empty()) return why;
  if (!cursor.rest().empty()) return "bytes are left behind the headers of the record";
  return {};
}

}  // namespace

void HeaderList::Iterator::read() {
  if (left_ <= 0) return;
  Cursor cursor(rest_);
  if (!cursor.take_header(header_)) {  // only when the list was not made by RecordReader
    left_ = 0;
    return;
  }
  rest_ = cursor.rest();
}

bool RecordReader::next(RecordView& record) {
  if (!error_.empty()) return false;
  if (index_ >= count_) {
    if (count_ < 0) return fail("the record count is negative");
    return rest_.empty() ? false : fail("bytes are left behind the last record");
  }
  Cursor cursor(rest_);
  std::int32_t size = 0;
  base::BytesView body;
  if (cursor.rest().empty()) return fail("there are fewer records than the header declares");
  if (!cursor.take_varint(size)) return fail("the record length is malformed");
  if (!cursor.take_bytes(size, body)) return fail("the record is longer than the batch");
  Cursor inside(body);
  if (const auto why = read_body(inside, record); !why.empty()) return fail(why);
  record.bytes = rest_.first(rest_.size() - cursor.rest().size());
  rest_ = cursor.rest();
  ++index_;
  return true;
}

bool RecordReader::fail(std::string_view why) {
  error_ = why;
  return false;
}

}  // namespace record
