// An administrator who asks a cluster in which things fail: one broker after another, until the
// answer is good.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class InsistentAdmin {
 public:
  // `whom` says which host to ask next. `patience`: for one answer.
  InsistentAdmin(Cluster& cluster, std::function<std::string()> whom,
                 base::Duration patience = std::chrono::seconds(2));

  // False when 30 s pass without an answer that is good.
  template <class Response, class Request>
  bool insist(const Request& request, std::int16_t version,
              std::function<bool(const Response&)> good) {
    auto done = std::make_shared<bool>(false);
    auto ask = std::make_shared<std::function<void()>>();
    *ask = [this, request, version, good, done, again = std::weak_ptr(ask)] {
      client_.aim(whom_());
      client_.call<Response>(request, version, [this, good, done, again](const Response* response) {
        if (response != nullptr && good(*response)) *done = true;
        if (*done) return;
        world_.after(kPause, [again] {
          if (const auto ask_again = again.lock()) (*ask_again)();
        });
      });
    };
    (*ask)();
    return world_.run_until([done] { return *done; }, kLimit);
  }

  struct NewTopic {
    std::string name;
    std::int32_t partitions = 1;
    std::int16_t replicas = 3;
    std::map<std::string, std::string> configs;
  };
  // False, and the run has failed, when it is not made.
  bool create(const NewTopic& topic);

 private:
  static constexpr base::Duration kPause = std::chrono::milliseconds(100);
  static constexpr base::Duration kLimit = std::chrono::seconds(30);

  World& world_;
  Facts& facts_;
  const std::function<std::string()> whom_;
  KafkaClient client_;
};

}  // namespace sim
