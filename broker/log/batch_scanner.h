// Reads a log file batch by batch, from the medium if it must, with bounded memory: recovery,
// replay of producers, searches by time. Trusts nothing that it reads. Blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/io/disk.h"
#include "common/record/batch_view.h"

namespace broker {

class BatchScanner {
 public:
  static constexpr std::size_t kBufferBytes = 256 << 10;

  // `end` is where the bytes that count end; `position` a batch boundary.
  BatchScanner(const io::File& file, std::uint64_t position, std::uint64_t end);

  struct Item {
    // The batch, or only its header (with no records) when it is larger than the buffer: is_whole.
    // Valid until the next call.
    record::BatchView view;
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    bool is_whole = false;
  };
  // The next batch; nothing at the end, and at the first bytes that are no batch: then why() says
  // what is wrong. Errors are those of the disk.
  io::IoResult<std::optional<Item>> next();
  const std::string& why() const { return why_; }
  // Where the batch after the last one returned begins.
  std::uint64_t position() const { return position_; }

  // Whether the checksum of the item just returned is right. Reads the rest of a large batch.
  io::IoResult<bool> checksum_ok(const Item& item);
  // The whole batch, for one that did not fit. At most `size_max` bytes (EMSGSIZE).
  io::IoResult<base::Bytes> read_whole(const Item& item, std::uint64_t size_max);

 private:
  io::IoResult<base::BytesView> fill(std::uint64_t position, std::size_t want);
  std::size_t keep_from(std::uint64_t position);
  std::optional<Item> stop(std::string why);

  const io::File& file_;
  std::uint64_t position_;
  const std::uint64_t end_;
  base::Bytes buffer_;
  std::uint64_t buffered_from_ = 0;
  std::size_t buffered_ = 0;
  base::Bytes header_;
  std::string why_;
};

}  // namespace broker
