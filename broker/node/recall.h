// Tells clients that a broker has fallen silent (it was stopped, its machine hangs, its network is
// cut). Their connections to it stay open and say nothing, so they wait: 30 s and more with the
// defaults of most clients, although others lead by now. The protocol has no message from a broker
// to a client. But every client asks for metadata when one of its connections ends, so each broker
// that lives ends those of its clients, with all answers sent and nothing taken that was not
// answered (api/session.h): the brokers one after the other, as a client must find another one that
// it is connected to and that is not the silent one.
//
// A client may well ask the silent one, which it believes to be well, and waits again. The fewer
// brokers there are the more likely that is, so few brokers have several rounds; from the second on
// they leave out who asked them since.
//
// A broker whose process has ended closes its connections by that, and is no reason for a recall,
// unless no controller was there to notice.
// docs/decisions/0016-recall-of-clients.md. The home thread.
#pragma once

#include <functional>
#include <set>
#include <utility>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class Recall {
 public:
  // Others should know of the new leaders by the time a client asks them.
  static constexpr base::Duration kFirst = std::chrono::milliseconds(50);
  // Between two brokers: long enough for a client to ask and be answered.
  static constexpr base::Duration kStep = std::chrono::milliseconds(200);
  // From the ninth broker on several recall their clients at the same time.
  static constexpr std::size_t kSteps = 8;
  // Rounds go on until clients have been recalled about so often. Of two brokers that a client of
  // librdkafka is connected to one is asked at random, so one in 64 of those misses all.
  static constexpr std::size_t kTurns = 6;
  // A broker that is silent every now and then shall not keep all clients busy.
  static constexpr base::Duration kPause = std::chrono::seconds(10);

  // Recalls the clients of all reactors; `again`: only those that have not asked since the last
  // time.
  using RecallClients = std::function<void(bool again)>;
  Recall(base::BrokerId self, io::Executor& home, RecallClients recall);

  // In order of the changes, once this broker has taken the roles they give.
  void on_change(const meta::Image& after, const meta::Delta& delta);
  void stop() { timer_.cancel(); }

 private:
  void plan(const meta::Image& image);
  void fire();

  const base::BrokerId self_;
  io::Executor& home_;
  const RecallClients recall_;
  // Silent ones known of, by their registration.
  std::set<std::pair<base::BrokerId, base::BrokerEpoch>> silent_;
  base::Instant allowed_{};  // the next first round, at the earliest
  std::size_t rounds_ = 0;   // still to come
  bool again_ = false;       // the next one is not the first
  base::Duration between_{};
  base::Timer timer_;
};

}  // namespace broker
