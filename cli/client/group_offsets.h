// Committed offsets of a group, read and written from outside or by a member.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cli/client/cluster.h"
#include "cli/client/fetcher.h"

namespace cli {

struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
};

// Everything the group has committed. With `stable`, waits for offsets that open transactions hold
// up. Throws Failure.
std::map<TopicPartition, CommittedOffset> fetch_committed(Cluster& cluster,
                                                          const std::string& group, bool stable);

// Who commits; a group without members takes commits from anybody.
struct Committer {
  std::string group;
  std::int32_t generation = -1;
  std::string member_id;
};

// Nothing when all were taken. A trouble that is not retriable may mean that the member has lost
// its place in the group: see its code.
std::optional<Trouble> commit_offsets(Cluster& cluster, const Committer& who,
                                      const std::map<TopicPartition, std::int64_t>& offsets,
                                      Deadline deadline);

}  // namespace cli
