#include "cli/command/group_seek.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/client/group_offsets.h"
#include "cli/client/offsets.h"
#include "cli/text/offset_spec.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"

namespace cli {
namespace {

struct Move {
  std::optional<std::int64_t> from;
  std::int64_t to = 0;
};
using Moves = std::map<TopicPartition, Move>;

OffsetSpec parse_target(const std::string& text) {
  const auto spec = parse_offset_spec(text, Context::now());
  using enum OffsetSpec::Kind;
  if (!spec || spec->kind == kStored || spec->kind == kUntil) {
    throw usage_failure(fmt::format("--to {}: not a place in a log", text),
                        "one of beginning, end, N, -N (that many before the end), s@TIME");
  }
  return *spec;
}

// Splits TOPIC:PARTITION; a topic's name has no colon.
std::pair<std::string, std::optional<std::int32_t>> parse_place(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return {text, std::nullopt};
  const auto number = parse_integer(std::string_view(text).substr(colon + 1));
  if (!number || *number < 0 || *number > INT32_MAX) {
    throw usage_failure(fmt::format("--topic {}: not TOPIC:PARTITION", text));
  }
  return {text.substr(0, colon), static_cast<std::int32_t>(*number)};
}

// Which partitions are to move, by topic.
std::map<std::string, std::vector<std::int32_t>> choose(
    Cluster& cluster, const SeekGroupOptions& options,
    const std::map<TopicPartition, CommittedOffset>& committed) {
  std::map<std::string, std::vector<std::int32_t>> chosen;
  for (const std::string& text : options.topics) {
    const auto [name, only] = parse_place(text);
    const auto count = static_cast<std::int32_t>(cluster.topic(name).partitions.size());
    if (only && *only >= count) {
      throw Failure(fmt::format("topic {} has no partition {}", name, *only));
    }
    for (std::int32_t i = only.value_or(0); i < (only ? *only + 1 : count); ++i) {
      chosen[name].push_back(i);
    }
  }
  if (!options.topics.empty()) return chosen;
  for (const auto& [where, offset] : committed) chosen[where.first].push_back(where.second);
  return chosen;
}

std::vector<std::int64_t> ask_for(Cluster& cluster, const TopicInfo& topic,
                                  const std::vector<std::int32_t>& partitions,
                                  std::int64_t timestamp, std::int64_t otherwise) {
  std::vector<OffsetQuery> queries;
  for (std::int32_t partition : partitions) queries.push_back({partition, timestamp});
  std::vector<std::int64_t> offsets;
  for (const auto& offset : list_offsets(cluster, topic, queries, false)) {
    offsets.push_back(offset.value_or(otherwise));
  }
  return offsets;
}

// Where `spec` is in each of the partitions; never outside of the log.
std::vector<std::int64_t> places(Cluster& cluster, const TopicInfo& topic,
                                 const std::vector<std::int32_t>& partitions,
                                 const OffsetSpec& spec) {
  const auto starts = ask_for(cluster, topic, partitions, kEarliest, 0);
  const auto ends = ask_for(cluster, topic, partitions, kLatest, 0);
  std::vector<std::int64_t> found = starts;
  using enum OffsetSpec::Kind;
  if (spec.kind == kTimestamp) {
    found = ask_for(cluster, topic, partitions, spec.value, INT64_MAX);
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (spec.kind == kEnd) found[i] = ends[i];
    if (spec.kind == kAbsolute) found[i] = spec.value;
    if (spec.kind == kFromEnd) found[i] = ends[i] - spec.value;
    found[i] = std::max(starts[i], std::min(found[i], ends[i]));
  }
  return found;
}

Moves plan(Cluster& cluster, const SeekGroupOptions& options, const OffsetSpec& spec) {
  const auto committed = fetch_committed(cluster, options.group, true);
  Moves moves;
  for (const auto& [name, partitions] : choose(cluster, options, committed)) {
    const auto to = places(cluster, cluster.topic(name), partitions, spec);
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      const TopicPartition where{name, partitions[i]};
      const auto held = committed.find(where);
      moves[where] = {
          .from = held == committed.end() ? std::nullopt : std::optional(held->second.offset),
          .to = to[i]};
    }
  }
  return moves;
}

void commit(Cluster& cluster, const std::string& group, const Moves& moves) {
  std::map<TopicPartition, std::int64_t> offsets;
  for (const auto& [where, move] : moves) offsets[where] = move.to;
  cluster.retry(cluster.deadline(), [&](Deadline until) -> Try<bool> {
    auto trouble = commit_offsets(cluster, {.group = group, .member_id = ""}, offsets, until);
    if (!trouble) return true;
    if (trouble->code == wire::ErrorCode::kUnknownMemberId) {
      trouble->hint = "the group has members: stop its consumers first";
    }
    return std::unexpected(std::move(*trouble));
  });
}

}  // namespace

void seek_group(const SeekGroupOptions& options, Context& context) {
  const OffsetSpec spec = parse_target(options.to);
  Cluster& cluster = context.cluster();
  const Moves moves = plan(cluster, options, spec);
  if (moves.empty()) {
    throw Failure(fmt::format("group {} has committed nothing", options.group),
                  "name topics with --topic");
  }
  if (options.execute) commit(cluster, options.group, moves);
  Table table({{"TOPIC"}, {"PARTITION", true}, {"CURRENT-OFFSET", true}, {"NEW-OFFSET", true}});
  Json partitions = Json::array();
  for (const auto& [where, move] : moves) {
    table.add({where.first, std::to_string(where.second),
               move.from ? std::to_string(*move.from) : "-", std::to_string(move.to)});
    partitions.push_back({{"topic", where.first},
                          {"partition", where.second},
                          {"current_offset", move.from ? Json(*move.from) : Json(nullptr)},
                          {"new_offset", move.to}});
  }
  if (context.json()) {
    return context.print_json({{"group", options.group},
                               {"executed", options.execute},
                               {"partitions", std::move(partitions)}});
  }
  context.print(table.draw(context.color()));
  if (!options.execute) context.remark("nothing was changed: --execute does it");
}

}  // namespace cli
