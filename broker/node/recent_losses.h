// What this broker knows of leaders that were lost just now, so that clients who lost them, too,
// get an answer that helps. Who finds its connection to a leader broken asks another broker at
// once, and if the answer says nothing new, many ask again only after a second.
//
//  - Doubts. Our own connection to a leader broke as well: its process has probably ended, and the
//    controller is choosing another one. Until that is decided, or the doubt has lasted too long,
//    the leader is not told to clients: LEADER_NOT_AVAILABLE makes them ask again soon.
//  - Moves. A leader was fenced and what it led has moved. Who was last told of the old one is told
//    once that there is none, and of the new one when it asks again, soon: librdkafka from 2.10 on
//    ends its handle of a broker that is not named any more, and what it moves at the same time
//    from that handle to the new leader is lost to it until it looks again, after a second.
//
// Any thread; while nobody was lost nothing is locked.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class RecentLosses {
 public:
  static constexpr base::Duration kDoubt = std::chrono::milliseconds(500);
  static constexpr base::Duration kMoved = std::chrono::seconds(5);

  // The connection to `leader` broke or was refused. Silence is none of this: it may last.
  void lost(base::BrokerId leader, base::Instant now);
  // It answered.
  void heard(base::BrokerId leader);
  // The metadata changed, in order of the changes.
  void on_change(const meta::ImagePtr& before, const meta::Image& after, const meta::Delta& delta,
                 base::Instant now);

  // Somebody was lost: the following may say yes.
  bool any() const { return any_.load(std::memory_order_relaxed); }
  // Whether what the metadata says of this leader is in doubt.
  bool doubted(base::BrokerId leader, base::Instant now) const;
  // Whether the partition lost its leader lately, after the metadata at `told`.
  bool moved_since(base::Offset told, base::Uuid topic, std::size_t partition,
                   base::Instant now) const;

 private:
  struct Fenced {
    base::Instant at;
    base::Offset offset;    // of the change that says so
    meta::ImagePtr before;  // what it led
  };
  void count();

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::map<base::BrokerId, base::Instant> lost_;  // when first, since it was heard of last
  std::map<base::BrokerId, Fenced> fenced_;
};

}  // namespace broker
