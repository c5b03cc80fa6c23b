// Seam: byte streams. Callbacks, not coroutines: the hot path runs to completion within one wake.
// All calls and callbacks of a connection happen on the executor that owns it. Real: host/reactor;
// simulated with delay, loss of connection and slow readers: tests/sim/sim_net.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/bytes.h"
#include "common/io/disk.h"
#include "common/io/error.h"

namespace io {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  std::string to_string() const { return host + ":" + std::to_string(port); }
  friend bool operator==(const Address&, const Address&) = default;
};

// A piece of a file that leaves by sendfile where the platform can.
struct FileSlice {
  std::shared_ptr<const File> file;
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Queues bytes or a slice behind what is already queued. Leaves when the current wake ends, or
  // at flush(): one send per connection and wake. Ignored after close.
  virtual void send(base::Bytes bytes) = 0;
  virtual void send(FileSlice slice) = 0;
  virtual void flush() = 0;
  // Queued and not yet taken by the kernel.
  virtual std::uint64_t queued_bytes() const = 0;
  // While paused no on_data arrives, and the peer sees its window fill; the peer's end is still
  // noticed. After resume_reading, what had arrived and was not consumed comes again through
  // on_data, from the executor's loop, whether or not more follows.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Drops what is queued (or, with `after_flush`, sends it first) and ends; on_closed follows once,
  // from the executor's loop and never from within this call.
  virtual void close(bool after_flush = false) = 0;
  virtual const Address& peer() const = 0;
  virtual const Address& local() const = 0;
};

// What the owner of a connection provides.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  // Everything that has arrived and was not yet consumed, in one mutable run. Returns how many
  // bytes from its start are done with; the rest comes again with more behind it.
  virtual std::size_t on_data(base::MutableBytes in) = 0;
  // How many bytes from the start of the unconsumed run are needed before on_data can make
  // progress: sizes the receive buffer. Asked after on_data; 0 when unknown. The handler bounds it.
  virtual std::size_t bytes_wanted() const { return 0; }
  // Queued output fell below the low mark after having been above the high mark.
  virtual void on_drained() {}
  // Last call. `error` is empty for an orderly end by the peer or by close().
  virtual void on_closed(const std::string& error) = 0;
};

class Net {
 public:
  // Given a fresh connection, returns its handler, or null to refuse it.
  using Accept = std::function<std::shared_ptr<ConnectionHandler>(std::shared_ptr<Connection>)>;
  virtual ~Net() = default;
  // Listens until the Net ends. Port 0 picks one; the bound address is returned.
  virtual IoResult<Address> listen(const Address& address, Accept accept) = 0;
  virtual void stop_listening() = 0;
  using Connected = std::move_only_function<std::shared_ptr<ConnectionHandler>(
      IoResult<std::shared_ptr<Connection>>)>;
  virtual void connect(const Address& address, Connected done) = 0;
};

}  // namespace io
