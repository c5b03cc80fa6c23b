// How many bytes each broker's replicas have, as far as the brokers told in their heartbeats, and
// how fast replicas that are on the move are copied: coarse, a little late, in memory of the
// leading controller alone. A core; one executor. What the image does not know is not kept.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/meta/image.h"
#include "proto/controller.pb.h"

namespace controller::cluster {

// Sizes told by one heartbeat that are looked at; brokers send fewer.
inline constexpr int kSizesMax = 2000;

class ReplicaSizes {
 public:
  // Nothing is known: another controller led until now. The brokers have a while to tell.
  void clear(base::Instant now);
  // What the heartbeat of a registered broker tells. True: the broker has to tell everything, from
  // the first.
  bool take(const proto::HeartbeatRequest& request, const meta::Image& image, base::Instant now);

  // Every broker that sends heartbeats and is not fenced has told of all of its replicas.
  bool complete(const meta::Image& image) const;
  // Not complete, but likely to be soon.
  bool awaited(const meta::Image& image) const;
  // 0: next to nothing, or not known.
  std::int64_t of(base::BrokerId broker, const base::Uuid& topic, std::int32_t partition) const;
  // Of the largest replica of a partition.
  std::int64_t of(const base::Uuid& topic, std::int32_t index,
                  const meta::Partition& partition) const;

  // Time passes.
  void advance(base::Instant now);
  // Bytes that replicas on the move have got, a second, in the last half minute.
  std::int64_t copied_per_second() const;

 private:
  struct Held {
    std::map<base::Uuid, std::vector<std::int64_t>> topics;  // bytes by partition
    bool all = false;                                        // every replica was looked at
  };
  struct Bucket {
    base::Instant begin;
    std::int64_t bytes = 0;
  };
  void tell(base::BrokerId broker, Held& held, const proto::HeartbeatRequest::Size& size,
            const meta::Image& image);
  void copied(std::int64_t bytes);

  std::map<base::BrokerId, Held> held_;
  std::deque<Bucket> copied_;  // oldest first
  base::Instant now_{};
  base::Instant awaited_until_{};
};

// What is still to be copied to the replicas that this partition is being given.
std::int64_t bytes_to_copy(const base::Uuid& topic, std::int32_t index,
                           const meta::Partition& partition, const ReplicaSizes& sizes);
// At the present rate.
proto::CopyProgress progress_of(std::int64_t bytes_left, const ReplicaSizes& sizes);

}  // namespace controller::cluster
