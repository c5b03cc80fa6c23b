// Small tools of this folder's tests.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/record/builder.h"

namespace record::test {

inline base::Bytes from_hex(std::string_view hex) {
  base::Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

inline base::Bytes bytes_of(std::string_view text) {
  const base::BytesView view = base::as_bytes(text);
  return {view.begin(), view.end()};
}

inline base::Bytes random_bytes(base::Random& random, std::size_t size, std::uint64_t alphabet) {
  base::Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(alphabet));
  return bytes;
}

// A batch of `count` records "key-i" = "value-i", as a producer sends it.
inline base::Bytes simple_batch(BatchOptions options = {}, int count = 3,
                                base::WallMs timestamp = 1'000'000) {
  BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const std::string value = "value-" + std::to_string(i);
    builder.add(timestamp + i, base::as_bytes(key), base::as_bytes(value));
  }
  return builder.build();
}

inline BatchView view(const base::Bytes& bytes) {
  auto batch = BatchView::parse(bytes);
  if (!batch) throw std::runtime_error(std::string(to_string(batch.error())));
  return *batch;
}

}  // namespace record::test
