#include "broker/log/partition_metadata.h"

#include "broker/log/text_lines.h"

namespace broker {

namespace {
constexpr std::string_view kVersion = "version: 0";
constexpr std::string_view kTopicId = "topic_id: ";
}  // namespace

std::string encode_partition_metadata(const base::Uuid& topic_id) {
  return std::string(kVersion) + "\n" + std::string(kTopicId) + topic_id.to_string();
}

std::optional<base::Uuid> parse_partition_metadata(std::string_view text) {
  TextLines lines(text);
  if (lines.next() != kVersion) return std::nullopt;
  const auto line = lines.next();
  if (!line || !line->starts_with(kTopicId)) return std::nullopt;
  return base::Uuid::parse(line->substr(kTopicId.size()));
}

}  // namespace broker
