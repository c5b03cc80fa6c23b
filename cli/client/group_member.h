// One member of a consumer group in the classic protocol, with Kafka's "range" assignment (eager:
// everything is given back before a rebalance). Blocking; one thread: the owner calls beat() often.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/client/cluster.h"
#include "cli/client/fetcher.h"
#include "cli/client/range_assignor.h"
#include "common/wire/msg/join_group_response.h"

namespace cli {

class GroupMember {
 public:
  GroupMember(Cluster& cluster, std::string group, std::vector<std::string> topics)
      : cluster_(cluster), group_(std::move(group)), topics_(std::move(topics)) {}

  // Joins the group, again after a rebalance, and returns what this member is to read. Waits for
  // the others; throws Failure, and Interrupted.
  Assignment join();

  // Tells the coordinator that we are alive when it is time. False: give up what you read and
  // join() again.
  bool beat();

  // Stores where reading goes on. False: our place is lost, join() again.
  bool commit(const std::map<TopicPartition, std::int64_t>& offsets);

  // Leaves at once instead of by timeout. Errors do not matter any more.
  void leave();

 private:
  Try<bool> try_join(Assignment& assignment, Deadline until);
  Try<bool> try_sync(const wire::JoinGroupResponse& joined, Assignment& assignment, Deadline until);
  Try<std::map<std::string, Assignment>> plan(const wire::JoinGroupResponse& joined,
                                              Deadline until);
  Trouble group_trouble(wire::ErrorCode code);
  // Whether the code means that the member has to join again; forgets an id that is no longer
  // known.
  bool lost_place(wire::ErrorCode code);

  Cluster& cluster_;
  std::string group_;
  std::vector<std::string> topics_;
  std::string member_id_;
  std::int32_t generation_ = -1;
  Deadline next_beat_ = Deadline::in(std::chrono::milliseconds(0));
  Deadline session_ = Deadline::in(std::chrono::milliseconds(0));
};

}  // namespace cli
