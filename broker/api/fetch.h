// Fetch, versions 4-18: long poll, incremental sessions (KIP-227), topic ids, leader epochs and
// divergence, size limits in the order asked for. Records leave as slices of segment files.
// A follower's fetch says how far it is, reads to the end of the log instead of the high watermark,
// and is woken by what is written; with v18 also when its high watermark lags (KIP-1166).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/api/handler.h"
#include "broker/fetch/fetch_session.h"
#include "broker/node/partition.h"
#include "common/base/timer_wheel.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"

namespace broker::api {

void fetch(Context& context, const wire::FetchRequest& request, Reply<wire::FetchResponse> reply);

// One Fetch from its arrival to its answer: reads, and if that is too little, waits for more until
// its deadline. On the connection's reactor only.
class FetchOperation final : public PartitionListener,
                             public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(Context& context, const wire::FetchRequest& request, FetchPlan plan,
                 Reply<wire::FetchResponse> reply);
  void start();
  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override;

 private:
  // One partition as this operation sees it. `target` is the session's, or the plan's own.
  struct Item {
    FetchTarget* target = nullptr;
    std::shared_ptr<Partition> partition;
    wire::ErrorCode error = wire::ErrorCode::kNone;  // before any read
    bool waiting = false;
    ReadAnswer answer;
  };

  void resolve(const PartitionTable::Snapshot& table);
  // Reads all partitions anew within the limits.
  void read();
  bool enough() const;
  void run();
  void finish();
  void park();
  void stop_waiting();
  // True when the slices are in the page cache; else brings them there and runs on then.
  bool warm_up();
  void answer();
  bool worth_telling(const Item& item) const;
  bool is_behind(const Item& item) const;
  static base::Offset watermark_to_pass(const Item& item);
  void tell(Item& item, wire::FetchResponse& response, std::vector<io::FileSlice>& slices);

  Node& node_;
  Reactor& reactor_;
  FetchPlan plan_;
  std::int32_t session_epoch_ = 0;
  Reply<wire::FetchResponse> reply_;
  base::Instant deadline_;
  std::int64_t bytes_min_;
  std::int64_t bytes_max_;
  bool read_committed_;
  bool by_id_;
  bool with_hints_;                                // KIP-951
  std::optional<ReadRequest::Follower> follower_;  // none: a consumer
  bool any_replica_;                               // followers may serve it (KIP-392)
  std::vector<base::BrokerId> nearby_;             // brokers in its rack that it may be sent to
  std::string listener_;
  bool answered_ = false;
  bool parked_ = false;
  std::uint32_t warm_ups_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t throttled_bytes_ = 0;  // of bytes_, what counts against the leader's throttle
  std::vector<Item> items_;
  base::Timer timer_;
};

}  // namespace broker::api
