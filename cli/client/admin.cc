#include "cli/client/admin.h"

#include <algorithm>
#include <chrono>

#include "cli/client/controller_link.h"
#include "common/base/bytes.h"
#include "common/wire/msg/moldau_admin_request.h"
#include "common/wire/msg/moldau_admin_response.h"

namespace cli {
namespace {

// One that ends twice may have died twice; who ends it every time does not know the request.
constexpr int kBrokenMax = 3;

// A broker that waits for a controller says in the end why: its answer must still find us waiting.
std::int32_t leave_time_to_answer(std::chrono::milliseconds left) {
  return static_cast<std::int32_t>(
      (left - std::min(left / 4, std::chrono::milliseconds(1000))).count());
}

}  // namespace

Admin::Admin(Cluster& cluster, std::vector<Address> controllers)
    : cluster_(cluster), controllers_(std::move(controllers)) {}
Admin::~Admin() = default;

Try<std::string> Admin::exchange(const std::string& method, const std::string& bytes,
                                 Deadline until) {
  if (link_) return link_->call(method, bytes, until);
  auto answer = ask_broker(method, bytes, until);
  const bool nobody = !answer && answer.error().code == wire::ErrorCode::kNone;
  if (!nobody || controllers_.empty()) return answer;
  link_ = std::make_unique<ControllerLink>(controllers_);
  return link_->call(method, bytes, until);
}

Try<std::string> Admin::ask_broker(const std::string& method, const std::string& bytes,
                                   Deadline until) {
  auto connection = cluster_.connect(Target::any(), until);
  if (!connection) return std::unexpected(connection.error());
  wire::MoldauAdminRequest request;
  request.method = method;
  request.timeout_ms = leave_time_to_answer(until.left());
  const auto payload = base::as_bytes(bytes);
  request.payload.assign(payload.begin(), payload.end());
  const std::string address = (*connection)->address().to_string();
  auto reply = Cluster::exchange<wire::MoldauAdminResponse>(**connection, request, until);
  if (!reply) {
    if (until.passed() || ++broken_ < kBrokenMax) return std::unexpected(reply.error());
    return std::unexpected(Trouble{
        fmt::format("broker {} ends the connection when it is asked for {}", address, method),
        "only brokers of Moldau know this request", false});
  }
  broken_ = 0;
  if (reply->body.error_code == wire::ErrorCode::kNone) {
    return std::string(base::as_text(reply->body.payload));
  }
  return std::unexpected(refusal(fmt::format("broker {}", address), reply->body.error_code,
                                 reply->body.error_message));
}

}  // namespace cli
