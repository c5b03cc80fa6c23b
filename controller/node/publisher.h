// Streams committed entries to the brokers, in order, each offset once: first a snapshot or the
// entries that a subscriber lacks, then every commit. One executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/base/diag.h"
#include "common/io/rpc.h"
#include "common/meta/image.h"
#include "controller/raft/raft.h"

namespace controller {

class Publisher {
 public:
  explicit Publisher(base::Diag& diag) : diag_(diag) {}
  ~Publisher() { close(); }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // The subscriber has everything up to `have` (-1: nothing). `image` is that of the last committed
  // entry, `log` holds the entries up to it. `gone` is called when the subscriber goes, not when
  // close() ends it.
  void subscribe(std::int64_t have, std::shared_ptr<io::RpcSink> sink, const meta::Image& image,
                 const raft::RaftLog& log, std::function<void()> gone = nullptr);
  void committed(std::vector<raft::Entry> entries);
  // A snapshot took the place of entries: everybody gets the whole image.
  void jumped(const meta::Image& image);
  // Ends all subscriptions.
  void close();
  std::size_t subscribers() const { return sinks_.size(); }

 private:
  base::Diag& diag_;
  // A log that is opened again repeats what everybody has.
  raft::Index published_{-1};
  std::uint64_t next_id_ = 0;
  std::map<std::uint64_t, std::shared_ptr<io::RpcSink>> sinks_;
};

}  // namespace controller
