// Reads Kafka's small text files: lines, and numbers that are nothing but a number. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace broker {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}

  // Without its newline; a missing last newline is fine.
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const auto end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    return line;
  }
  template <class T>
  std::optional<T> next_number() {
    const auto line = next();
    return line ? parse_number<T>(*line) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

}  // namespace broker
