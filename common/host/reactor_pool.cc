#include "common/host/reactor_pool.h"

#include <sched.h>

#include <algorithm>

#include "common/base/check.h"

namespace host {

namespace {

// The CPUs that this process may use.
std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

ReactorPool::ReactorPool(Options options) : blocking_(options.blocking) {
  CHECK(options.reactors > 0);
  const auto cpus = allowed_cpus();
  for (std::size_t i = 0; i < options.reactors; ++i) {
    if (options.pin && !cpus.empty()) options.reactor.cpu = cpus[i % cpus.size()];
    reactors_.push_back(std::make_unique<Reactor>(blocking_, options.reactor));
  }
}

ReactorPool::~ReactorPool() { stop(); }

void ReactorPool::start() {
  CHECK(threads_.empty());
  for (const auto& reactor : reactors_) {
    threads_.emplace_back([&reactor = *reactor] { reactor.run(); });
  }
}

void ReactorPool::stop() {
  for (const auto& reactor : reactors_) reactor->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  blocking_.stop();
}

io::IoResult<io::Address> ReactorPool::listen(
    const io::Address& address, const std::function<io::Net::Accept(std::size_t)>& accept_on) {
  auto accepts = std::make_shared<std::vector<std::pair<Reactor*, io::Net::Accept>>>();
  for (std::size_t i = 0; i < reactors_.size(); ++i) {
    accepts->emplace_back(reactors_[i].get(), accept_on(i));
  }
  return reactors_[0]->listen(
      address, Reactor::Distribute([accepts](int socket) {
        const auto least = std::ranges::min_element(
            *accepts, {}, [](const auto& entry) { return entry.first->connection_count(); });
        least->first->adopt(socket, least->second);
      }));
}

void ReactorPool::stop_listening() {
  reactors_[0]->post([this] { reactors_[0]->stop_listening(); });
}

}  // namespace host
