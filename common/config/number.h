// Numbers in values that were parsed before. Internal to this folder.
#pragma once

#include <charconv>
#include <string_view>

#include "common/base/check.h"

namespace config {

template <class Number>
Number number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  CHECK(result.ec == std::errc() && result.ptr == text.data() + text.size());
  return value;
}

}  // namespace config
