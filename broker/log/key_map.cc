#include "broker/log/key_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

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

constexpr std::uint64_t kFirstSlots = 4096;

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
  slots_max_ = std::max<std::uint64_t>(2, std::min(options.bytes_max / kSlotBytes, wanted));
  keys_max_ = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(static_cast<double>(slots_max_) * load), 1, slots_max_ - 1);
  while ((slots_max_ >> halvings_) > kFirstSlots) ++halvings_;
  use(slots_max_ >> halvings_);
  slots_.reset(static_cast<Slot*>(std::calloc(slots_max_, sizeof(Slot))));
  CHECK(slots_ != nullptr);
}

// A table that may still grow is kept sparse: it is faster, and the pages behind it are free.
void KeyMap::use(std::uint64_t slots) {
  slot_count_ = slots;
  grow_at_ = halvings_ > 0 ? slots / 2 : UINT64_MAX;
}

// Twice the slots, in the same memory. A home is a share of the table: those of the keys in slots
// from the last to the first are behind all that is still to be moved, but for a few.
void KeyMap::grow() {
  const std::uint64_t before = slot_count_;
  std::vector<Slot> later;
  use(slots_max_ >> --halvings_);
  for (std::uint64_t at = before; at-- > 0;) settle(at, later);
  for (const Slot& slot : later) *place_of({slot.low, slot.high}) = slot;
}

// Moves what is in slot `at` to where it is found from now on; what would stand before slots that
// are still to be moved, and so behind a gap when they have gone, goes to `later`.
void KeyMap::settle(std::uint64_t at, std::vector<Slot>& later) {
  Slot* const slots = slots_.get();
  if (slots[at].after == 0) return;
  const Slot moved = std::exchange(slots[at], Slot{});
  std::uint64_t to = home({moved.low, moved.high});
  if (to < at) return later.push_back(moved);
  while (to < slot_count_ && slots[to].after != 0) ++to;
  if (to == slot_count_) return later.push_back(moved);
  slots[to] = moved;
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
    if (size_ >= grow_at_) {
      grow();
      slot = place_of(key);
    }
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

void KeyMap::add_newest(OffsetSet& newest) const {
  for (std::uint64_t i = 0; i < slot_count_; ++i) {
    const Slot& slot = slots_.get()[i];
    if (slot.after == 0) continue;
    const base::Offset offset(slot.after - 1);
    if (newest.covers(offset)) newest.add(offset);
  }
}

}  // namespace broker
