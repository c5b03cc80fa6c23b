#include "broker/log/key_map.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/check.h"

namespace broker {
namespace {

struct Sip {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t finish() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

std::uint64_t load_le(const std::byte* from, std::size_t count = 8) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word = 0;
  std::memcpy(&word, from, count);
  return word;
}

}  // namespace

KeyHash hash_key(base::BytesView key, std::uint64_t secret_low, std::uint64_t secret_high) {
  Sip sip{secret_low ^ 0x736f6d6570736575ULL, secret_high ^ 0x646f72616e646f6dULL ^ 0xee,
          secret_low ^ 0x6c7967656e657261ULL, secret_high ^ 0x7465646279746573ULL};
  const std::byte* at = key.data();
  std::size_t left = key.size();
  for (; left >= 8; at += 8, left -= 8) sip.take(load_le(at));
  const std::uint64_t length = static_cast<std::uint64_t>(key.size()) << 56;
  sip.take(length | (left > 0 ? load_le(at, left) : 0));
  sip.v2 ^= 0xee;
  KeyHash hash;
  hash.low = sip.finish();
  sip.v1 ^= 0xdd;
  hash.high = sip.finish();
  return hash;
}

KeyMap::KeyMap(const Options& options)
    : secret_low_(options.secret_low), secret_high_(options.secret_high) {
  const double load = std::clamp(options.load_max, 0.01, 0.95);
  const auto needed = static_cast<double>(std::min(options.keys_max, std::uint64_t{1} << 40));
  const std::uint64_t wanted = static_cast<std::uint64_t>(needed / load) + 2;
  // Two at least: one key, and one free slot to end every search.
  slot_count_ = std::max<std::uint64_t>(2, std::min(options.bytes_max / kSlotBytes, wanted));
  keys_max_ = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(static_cast<double>(slot_count_) * load), 1, slot_count_ - 1);
  slots_.reset(static_cast<Slot*>(std::calloc(slot_count_, sizeof(Slot))));
  CHECK(slots_ != nullptr);
}

// The slot that holds the key, or the free one where it would go.
KeyMap::Slot* KeyMap::place_of(const KeyHash& key) const {
  std::uint64_t at = home(key);
  while (true) {
    Slot& slot = slots_.get()[at];
    if (slot.after == 0 || (slot.low == key.low && slot.high == key.high)) return &slot;
    if (++at == slot_count_) at = 0;
  }
}

bool KeyMap::put(const KeyHash& key, base::Offset offset) {
  Slot* slot = place_of(key);
  if (slot->after == 0) {
    if (size_ >= keys_max_) return false;
    ++size_;
    *slot = {key.low, key.high, 0};
  }
  slot->after = std::max(slot->after, offset.value() + 1);
  return true;
}

std::optional<base::Offset> KeyMap::find(const KeyHash& key) const {
  const Slot* slot = place_of(key);
  if (slot->after == 0) return std::nullopt;
  return base::Offset(slot->after - 1);
}

}  // namespace broker
