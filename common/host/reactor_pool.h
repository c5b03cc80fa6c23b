// The reactors of a process, one thread each, with one pool for blocking work. Listens once and
// gives each new connection to the reactor that has the fewest. Used by programs' main().
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/host/blocking_pool.h"
#include "common/host/reactor.h"

namespace host {

class ReactorPool {
 public:
  struct Options {
    std::size_t reactors = 1;
    ReactorOptions reactor;
    // One CPU per reactor, for machines that run nothing else.
    bool pin = false;
    BlockingPool::Options blocking;
  };
  explicit ReactorPool(Options options);
  ~ReactorPool();  // stop()

  std::size_t size() const { return reactors_.size(); }
  Reactor& operator[](std::size_t index) { return *reactors_[index]; }
  BlockingPool& blocking() { return blocking_; }

  // Starts the threads. Set the reactors up before.
  void start();
  // Ends and joins all; connections are closed by their reactors. Any thread but a reactor's.
  void stop();

  // `accept_on(i)` is asked once per reactor and then called on that reactor only. Before start().
  io::IoResult<io::Address> listen(const io::Address& address,
                                   const std::function<io::Net::Accept(std::size_t)>& accept_on);
  // Closes the listeners; existing connections go on. Any thread.
  void stop_listening();

 private:
  BlockingPool blocking_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::thread> threads_;
};

}  // namespace host
