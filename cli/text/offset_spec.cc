#include "cli/text/offset_spec.h"

#include "cli/text/quantity.h"
#include "cli/text/when.h"

namespace cli {

std::optional<OffsetSpec> parse_offset_spec(std::string_view text, base::WallMs now) {
  using Kind = OffsetSpec::Kind;
  if (text == "beginning" || text == "earliest" || text == "start") {
    return OffsetSpec{Kind::kBeginning, 0};
  }
  if (text == "end" || text == "latest") return OffsetSpec{Kind::kEnd, 0};
  if (text == "stored" || text == "committed") return OffsetSpec{Kind::kStored, 0};
  if (text.starts_with("s@") || text.starts_with("e@")) {
    auto when = parse_when(text.substr(2), now);
    if (!when) return std::nullopt;
    return OffsetSpec{text.front() == 's' ? Kind::kTimestamp : Kind::kUntil, *when};
  }
  bool from_end = text.starts_with('-');
  auto number = parse_integer(from_end ? text.substr(1) : text);
  if (!number || *number < 0) return std::nullopt;
  return OffsetSpec{from_end ? Kind::kFromEnd : Kind::kAbsolute, *number};
}

}  // namespace cli
