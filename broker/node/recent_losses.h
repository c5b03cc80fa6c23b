// Which leaders this broker has just lost, so that clients who lost them, too, get an answer that
// helps. Who finds its connection to a leader broken asks another broker for metadata at once, long
// before the controller has chosen another leader; if the answer says nothing new, many clients
// look again only after a second. A leader that was lost is therefore in doubt: until the
// controller has decided, or the doubt has lasted too long, their answer waits (metadata.cc).
//
// A broker that was fenced is still named for a while, as Apache Kafka does until the session ends:
// librdkafka from 2.10 on ends its handle of a broker that is not named any more, and may lose what
// it moves from that handle to the new leader in the same moment, until it looks again.
//
// Any thread; while nobody was lost nothing is locked.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/io/error.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class RecentLosses {
 public:
  static constexpr base::Duration kDoubt = std::chrono::milliseconds(500);
  static constexpr base::Duration kFarewell = std::chrono::seconds(5);

  // A call to `leader` failed. Only a connection that broke or was refused counts: silence may
  // last.
  void failed(base::BrokerId leader, const io::IoError& error, base::Instant now);
  // It answered.
  void heard(base::BrokerId leader);
  // The metadata changed, in order of the changes.
  void on_change(const meta::Image& before, const meta::Image& after, const meta::Delta& delta,
                 base::Instant now);

  // Whether what the metadata says of this leader is in doubt.
  bool doubted(base::BrokerId leader, base::Instant now) const;
  // Whether the broker, which is fenced, was not until a short while ago.
  bool fenced_lately(base::BrokerId broker, base::Instant now) const;

 private:
  void count();

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::map<base::BrokerId, base::Instant> lost_;  // when first, since it was heard of last
  std::map<base::BrokerId, base::Instant> fenced_;
};

}  // namespace broker
