#include "common/host/grpc_common.h"

#include <grpc/support/log.h>

#include <charconv>
#include <vector>

namespace host::grpc_detail {
namespace {

thread_local LogCapture* capture = nullptr;

void log_line(gpr_log_func_args* line) {
  if (capture != nullptr && line->severity == GPR_LOG_SEVERITY_ERROR) capture->add(line->message);
}

int code_of(const grpc::Status& status, bool left) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return left ? ECONNRESET : ECONNREFUSED;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ETIMEDOUT;
    case grpc::StatusCode::CANCELLED:
      return left ? ECONNRESET : ECANCELED;
    case grpc::StatusCode::ABORTED:
      return ECONNRESET;
    case grpc::StatusCode::UNIMPLEMENTED:
      return ENOSYS;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return EMSGSIZE;
    default:
      return EIO;
  }
}

}  // namespace

grpc::ByteBuffer to_buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

std::optional<std::string> to_string(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return std::nullopt;
  std::string out;
  out.reserve(buffer.Length());
  for (const auto& each : slices) {
    out.append(reinterpret_cast<const char*>(each.begin()), each.size());
  }
  return out;
}

grpc::Status to_status(const io::IoError& error) {
  const auto code =
      error.code == ENOSYS ? grpc::StatusCode::UNIMPLEMENTED : grpc::StatusCode::UNKNOWN;
  return {code, error.what, std::to_string(error.code)};
}

io::IoError to_error(const grpc::Status& status, bool left, const std::string& what) {
  const std::string& details = status.error_details();
  int code = 0;
  std::from_chars(details.data(), details.data() + details.size(), code);
  if (code > 0 && code < 4096) return {code, status.error_message()};
  return {code_of(status, left), what + ": " + status.error_message()};
}

LogCapture::LogCapture() { capture = this; }
LogCapture::~LogCapture() { capture = nullptr; }
void LogCapture::add(const char* message) {
  if (text_.size() > 2000) return;
  if (!text_.empty()) text_ += "; ";
  text_ += message;
}

void silence_grpc_log() { gpr_set_log_function(log_line); }

}  // namespace host::grpc_detail
