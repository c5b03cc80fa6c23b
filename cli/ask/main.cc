// moldau-ask CONTROLLERS METHOD TIMEOUT_MS: asks the controller that leads, over gRPC, for `moldau
// --controllers`. The request comes on standard input, the reply goes to standard output. A program
// of its own, so that `moldau` need not load gRPC (docs/decisions/0009-grpc.md).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include "common/control/quorum_client.h"
#include "common/host/grpc_rpc.h"
#include "common/host/reactor_pool.h"

namespace {

constexpr std::chrono::seconds kGrace{2};  // for the thread, beyond the call's own timeout
constexpr std::size_t kRequestMax = 16 << 20;

std::vector<io::Address> parse(const std::string& list) {
  std::vector<io::Address> all;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string one = list.substr(at, end - at);
    const std::size_t colon = one.rfind(':');
    if (colon == std::string::npos) return {};
    const auto port = std::strtoul(one.c_str() + colon + 1, nullptr, 10);
    if (port == 0 || port > 65535) return {};
    all.push_back({one.substr(0, colon), static_cast<std::uint16_t>(port)});
    at = end + 1;
  }
  return all;
}

bool read_request(std::string& request) {
  char buffer[1 << 16];
  while (const ssize_t got = ::read(0, buffer, sizeof buffer)) {
    if (got < 0 || request.size() > kRequestMax) return false;
    request.append(buffer, static_cast<std::size_t>(got));
  }
  return true;
}

io::IoResult<std::string> ask(const std::vector<io::Address>& controllers,
                              const std::string& method, std::string request,
                              std::chrono::milliseconds timeout) {
  host::ReactorPool pool({.reactors = 1});
  pool.start();
  std::promise<io::IoResult<std::string>> promise;
  auto answer = promise.get_future();
  std::unique_ptr<control::QuorumClient> quorum;
  pool[0].post([&] {
    control::QuorumClient::Members members;
    // Which id is whose is theirs to know: a wrong guess costs one more question.
    for (const io::Address& each : controllers) {
      const auto id = static_cast<std::int32_t>(members.size()) + 1;
      members[id] = host::grpc_client(pool[0], each);
    }
    const auto seed = static_cast<std::uint64_t>(::getpid());
    quorum =
        std::make_unique<control::QuorumClient>(pool[0], base::Random(seed), std::move(members));
    quorum->call(method, std::move(request), timeout,
                 [&](io::IoResult<std::string> told) { promise.set_value(std::move(told)); });
  });
  io::IoResult<std::string> result = io::io_failure(ETIMEDOUT, "no answer in time");
  if (answer.wait_for(timeout + kGrace) == std::future_status::ready) result = answer.get();
  std::promise<void> gone;
  pool[0].post([&] {
    quorum.reset();
    gone.set_value();
  });
  gone.get_future().wait();
  pool.stop();
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const auto controllers = argc == 4 ? parse(argv[1]) : std::vector<io::Address>{};
  if (controllers.empty()) {
    std::fprintf(stderr, "usage: moldau-ask HOST:PORT,... METHOD TIMEOUT_MS <request >reply\n");
    return 2;
  }
  std::string request;
  if (!read_request(request)) {
    std::fprintf(stderr, "the request cannot be read\n");
    return 2;
  }
  const std::chrono::milliseconds timeout(std::strtol(argv[3], nullptr, 10));
  const auto reply = ask(controllers, argv[2], std::move(request), timeout);
  if (!reply) {
    std::fprintf(stderr, "%s\n", reply.error().what.c_str());
    return reply.error().code == ENOSYS ? 3 : 1;
  }
  return std::fwrite(reply->data(), 1, reply->size(), stdout) == reply->size() ? 0 : 1;
}
