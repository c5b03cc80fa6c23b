// The client connections of one reactor, so that they can be told something: they are recalled
// together (recall.h). The reactor's thread.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "common/io/executor.h"

namespace broker {

// A connection that can be asked to end as soon as nothing is under way on it. `again`: unless
// Metadata was asked on it.
class ClientSession {
 public:
  virtual ~ClientSession() = default;
  virtual void recall(bool again) = 0;
};

class ClientSessions {
 public:
  using Place = std::list<std::weak_ptr<ClientSession>>::iterator;

  Place add(std::weak_ptr<ClientSession> session) {
    return sessions_.insert(sessions_.end(), std::move(session));
  }
  void remove(Place place) { sessions_.erase(place); }
  std::size_t size() const { return sessions_.size(); }

  // Recalls all that are open now, a few at a time, so that others get their turn on the executor.
  void recall_all(io::Executor& executor, bool again);

 private:
  std::list<std::weak_ptr<ClientSession>> sessions_;
};

}  // namespace broker
