// The newest offset of each key, within a bound of memory: what compaction decides by. A slot is 24
// bytes: a 128-bit keyed hash that stands for the key, and the offset. The hash is SipHash-2-4 with
// a key that the owner draws for each round: two keys are taken for one with a chance of 2^-128 a
// pair, and nobody who writes records can choose keys that collide.
//
// The table grows in place as keys come, so that memory is taken for the keys there are. Pure; one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "broker/log/offset_set.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace broker {

struct KeyHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const KeyHash&, const KeyHash&) = default;
};

// SipHash-2-4 with 128 bits of output.
KeyHash hash_key(base::BytesView key, std::uint64_t secret_low, std::uint64_t secret_high);

class KeyMap {
 public:
  static constexpr std::size_t kSlotBytes = 24;
  struct Options {
    std::uint64_t bytes_max = 128 << 20;  // log.cleaner.dedupe.buffer.size
    double load_max = 0.9;                // log.cleaner.io.buffer.load.factor
    std::uint64_t keys_max = UINT64_MAX;  // there cannot be more: bounds the memory further
    std::uint64_t secret_low = 0;
    std::uint64_t secret_high = 0;
  };
  explicit KeyMap(const Options& options);

  KeyHash hash(base::BytesView key) const { return hash_key(key, secret_low_, secret_high_); }
  // Remembers `offset` for the key unless a later one is known. False, and nothing is changed: the
  // key is new and there is no room for it.
  bool put(const KeyHash& key, base::Offset offset);
  std::optional<base::Offset> find(const KeyHash& key) const;
  // Brings the slot of a key that will be asked for soon into the cache.
  void prefetch(const KeyHash& key) const { __builtin_prefetch(&slots_.get()[home(key)]); }

  // Adds to the set what it covers of the newest offsets of all keys.
  void add_newest(OffsetSet& newest) const;

  std::uint64_t size() const { return size_; }
  std::uint64_t capacity() const { return keys_max_; }
  std::uint64_t memory_bytes() const { return slots_max_ * kSlotBytes; }  // at most

 private:
  struct Slot {
    std::uint64_t low;
    std::uint64_t high;
    std::int64_t after;  // one beyond the offset; 0: the slot is free
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  std::uint64_t home(const KeyHash& key) const {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(key.high) * slot_count_) >>
                                      64);
  }
  Slot* place_of(const KeyHash& key) const;
  void use(std::uint64_t slots);
  void grow();
  void settle(std::uint64_t at, std::vector<Slot>& later);

  const std::uint64_t secret_low_;
  const std::uint64_t secret_high_;
  std::uint64_t slots_max_ = 0;   // memory is reserved for
  std::uint64_t slot_count_ = 0;  // are in use, the rest is untouched: slots_max_ >> halvings_
  int halvings_ = 0;
  std::uint64_t grow_at_ = 0;  // keys
  std::uint64_t keys_max_ = 0;
  std::uint64_t size_ = 0;
  std::unique_ptr<Slot[], Free> slots_;
};

}  // namespace broker
