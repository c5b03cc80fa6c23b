#include "broker/group/consumer_protocol.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/wire/msg/consumer_protocol_assignment.h"
#include "common/wire/msg/consumer_protocol_subscription.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace broker::group {
namespace {

// The version in front, then the message; what is newer than we know begins like the newest we do.
template <class Message>
std::optional<std::int16_t> read(base::BytesView bytes, Message& message) {
  wire::Reader in(bytes);
  const auto said = in.read_number<std::int16_t>("version");
  const auto version = std::min<std::int16_t>(said, Message::kVersionMax);
  if (!in.ok() || version < 0 || !message.decode(in, version)) return std::nullopt;
  return version;
}

NamedPartitions by_topic(const auto& topics) {
  NamedPartitions out;
  for (const auto& topic : topics) {
    out[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
  }
  return out;
}

}  // namespace

std::optional<Subscription> read_subscription(base::BytesView metadata) {
  wire::ConsumerProtocolSubscription said;
  const auto version = read(metadata, said);
  if (!version) return std::nullopt;
  Subscription out{.version = *version,
                   .topics = std::move(said.topics),
                   .owned = by_topic(said.owned_partitions),
                   .rack = std::move(said.rack_id)};
  if (out.rack && out.rack->empty()) out.rack.reset();
  return out;
}

std::optional<NamedAssignment> read_assignment(base::BytesView assignment) {
  if (assignment.empty()) return NamedAssignment{};
  wire::ConsumerProtocolAssignment said;
  if (!read(assignment, said)) return std::nullopt;
  return NamedAssignment{.partitions = by_topic(said.assigned_partitions),
                         .has_user_data = said.user_data && !said.user_data->empty()};
}

base::Bytes write_assignment(std::int16_t version, const NamedPartitions& partitions) {
  wire::ConsumerProtocolAssignment assignment;
  for (const auto& [topic, numbers] : partitions) {
    assignment.assigned_partitions.push_back(
        {.topic = topic, .partitions = {numbers.begin(), numbers.end()}});
  }
  const auto spoken =
      std::min<std::int16_t>(version, wire::ConsumerProtocolAssignment::kVersionMax);
  wire::Writer out;
  out.write_number(spoken);
  assignment.encode(out, spoken);
  CHECK(out.ok());  // names of topics that exist
  return out.take();
}

}  // namespace broker::group
