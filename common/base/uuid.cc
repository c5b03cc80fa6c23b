#include "common/base/uuid.h"

namespace base {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::array<std::uint8_t, 16> to_bytes(const Uuid& id) {
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::uint8_t>(id.high >> (56 - 8 * i));
    out[8 + i] = static_cast<std::uint8_t>(id.low >> (56 - 8 * i));
  }
  return out;
}

}  // namespace

Uuid Uuid::random(Random& random) {
  for (;;) {
    Uuid id{random.next(), random.next()};
    id.high = (id.high & ~0xf000ULL) | 0x4000ULL;
    id.low = (id.low & ~(3ULL << 62)) | (2ULL << 62);
    if (id.to_string().front() != '-') return id;
  }
}

std::string Uuid::to_string() const {
  const auto bytes = to_bytes(*this);
  std::string out;
  out.reserve(22);
  std::uint32_t bits = 0;
  int held = 0;
  for (std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      out.push_back(kAlphabet[(bits >> held) & 63]);
    }
  }
  out.push_back(kAlphabet[(bits << (6 - held)) & 63]);
  return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t filled = 0;
  for (char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      if (filled < bytes.size()) bytes[filled++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  Uuid id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = (id.high << 8) | bytes[i];
    id.low = (id.low << 8) | bytes[8 + i];
  }
  return id;
}

}  // namespace base
