// What both ends of host/grpc_rpc share: names on the wire, bytes, errors. Any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <mutex>
#include <optional>
#include <string>

#include "common/host/grpc_rpc.h"

namespace host::grpc_detail {

inline constexpr std::string_view kPrefix = "/moldau.";

grpc::ByteBuffer to_buffer(const std::string& bytes);
// Nothing when the pieces cannot be read (a compressed message that is not one).
std::optional<std::string> to_string(const grpc::ByteBuffer& buffer);

// A handler's error keeps its errno in the status's details.
grpc::Status to_status(const io::IoError& error);
// `left` is false when the request certainly never left this process.
io::IoError to_error(const grpc::Status& status, bool left, const std::string& what);

// gRPC's own log lines are dropped, except those that explain why a call into it failed.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  const std::string& text() const { return text_; }
  void add(const char* message);

 private:
  std::string text_;
};
void silence_grpc_log();

// The way to an executor that may end before gRPC's threads do.
class Gate {
 public:
  explicit Gate(io::Executor& executor) : executor_(&executor) {}
  bool post(io::Executor::Work work) {
    const std::lock_guard lock(mutex_);
    if (executor_ == nullptr) return false;
    executor_->post(std::move(work));
    return true;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    executor_ = nullptr;
  }

 private:
  std::mutex mutex_;
  io::Executor* executor_;  // null when closed
};

}  // namespace host::grpc_detail
