// Strong identifiers and quantities. Two ids of different kinds never convert into each other,
// and none converts from a bare integer without being named.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace base {

// A distinct integer type. `Tag` only names it.
template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(Strong, Strong) = default;
  friend constexpr bool operator==(Strong, Strong) = default;

  // Distances are plain integers: offset + count is an offset, offset - offset is a count.
  friend constexpr Strong operator+(Strong a, Rep n) { return Strong(a.value_ + n); }
  friend constexpr Strong operator-(Strong a, Rep n) { return Strong(a.value_ - n); }
  friend constexpr Rep operator-(Strong a, Strong b) { return a.value_ - b.value_; }

 private:
  Rep value_ = 0;
};

// Position of a record in a partition.
using Offset = Strong<struct OffsetTag, std::int64_t>;
// Generation of a partition's leadership; grows by one with each election.
using LeaderEpoch = Strong<struct LeaderEpochTag, std::int32_t>;
using BrokerId = Strong<struct BrokerIdTag, std::int32_t>;
// Generation of one registration of a broker with the controller.
using BrokerEpoch = Strong<struct BrokerEpochTag, std::int64_t>;
using ProducerId = Strong<struct ProducerIdTag, std::int64_t>;
using ProducerEpoch = Strong<struct ProducerEpochTag, std::int16_t>;

}  // namespace base

template <class Tag, class Rep>
struct std::hash<base::Strong<Tag, Rep>> {
  std::size_t operator()(base::Strong<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
