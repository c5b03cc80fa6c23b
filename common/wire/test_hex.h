// Bytes as hexadecimal text in tests.
#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace wire {

// Spaces are skipped.
inline base::Bytes from_hex(std::string_view text) {
  base::Bytes bytes;
  std::string digits;
  for (char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() == 2) {
      bytes.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return bytes;
}

inline std::string to_hex(base::BytesView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

}  // namespace wire
