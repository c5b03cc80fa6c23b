// moldau partition move|elect: where replicas are, and which of them lead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command/context.h"
#include "proto/controller.pb.h"

namespace cli {

struct MoveOptions {
  std::string topic;
  std::optional<std::int32_t> partition;  // none: every partition of the topic
  std::vector<std::int32_t> to;
  bool cancel = false;
  bool no_wait = false;
};
struct ElectOptions {
  std::string topic;  // empty: all
  std::vector<std::int32_t> partitions;
  bool unclean = false;
  bool yes = false;
};

void move_partitions(const MoveOptions& options, Context& context);
void elect_leaders(const ElectOptions& options, Context& context);

// Moves that are under way, of one topic or (empty) of all.
proto::ListPartitionReassignmentsReply moves_under_way(Context& context, const std::string& topic);
// Shows progress until none of `topic` is under way. Ctrl-C ends only the watching.
void wait_for_moves(Context& context, const std::string& topic, const std::string& subject);
// Undoes what is under way: of one topic or partition, or of all. How many.
int cancel_moves(Context& context, const std::string& topic,
                 const std::optional<std::int32_t>& partition);

}  // namespace cli
