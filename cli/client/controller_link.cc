#include "cli/client/controller_link.h"

#include <fmt/format.h>

#include <future>

#include "common/control/quorum_client.h"
#include "common/host/grpc_rpc.h"
#include "common/host/reactor_pool.h"

namespace cli {
namespace {

constexpr std::chrono::seconds kGrace{2};  // for the thread, beyond the call's own timeout

}  // namespace

class ControllerLink::Core {
 public:
  explicit Core(const std::vector<Address>& controllers) : pool_({.reactors = 1}) {
    pool_.start();
    on_reactor([&] {
      control::QuorumClient::Members members;
      // Which id is whose is theirs to know: a wrong guess costs one more question.
      for (const Address& each : controllers) {
        const auto id = static_cast<std::int32_t>(members.size()) + 1;
        members[id] = host::grpc_client(pool_[0], {each.host, each.port});
      }
      quorum_ = std::make_unique<control::QuorumClient>(pool_[0], base::Random(seed()),
                                                        std::move(members));
    });
  }
  ~Core() {
    on_reactor([&] { quorum_.reset(); });
    pool_.stop();
  }

  io::IoResult<std::string> call(const std::string& method, const std::string& request,
                                 std::chrono::milliseconds timeout) {
    auto promise = std::make_shared<std::promise<io::IoResult<std::string>>>();
    auto answer = promise->get_future();
    pool_[0].post([this, promise, method, request, timeout] {
      quorum_->call(method, request, timeout, [promise](io::IoResult<std::string> told) {
        promise->set_value(std::move(told));
      });
    });
    if (answer.wait_for(timeout + kGrace) == std::future_status::ready) return answer.get();
    return std::unexpected(io::IoError{ETIMEDOUT, "no answer in time"});
  }

 private:
  static std::uint64_t seed() {
    return static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count());
  }
  void on_reactor(const std::function<void()>& work) {
    std::promise<void> done;
    pool_[0].post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  host::ReactorPool pool_;
  std::unique_ptr<control::QuorumClient> quorum_;  // the reactor's
};

ControllerLink::ControllerLink(const std::vector<Address>& controllers)
    : core_(std::make_unique<Core>(controllers)) {}
ControllerLink::~ControllerLink() = default;

Try<std::string> ControllerLink::call(const std::string& method, const std::string& request,
                                      Deadline until) {
  auto answer = core_->call(method, request, until.left());
  if (answer) return std::move(*answer);
  return std::unexpected(Trouble{fmt::format("no controller answers: {}", answer.error().what),
                                 "see `moldau quorum status`", answer.error().code != ENOSYS});
}

}  // namespace cli
