// Addresses as the kernel wants them, and listening sockets.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/io/net.h"

namespace host {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

enum class Resolve {
  kNumbersOnly,  // never blocks; EINVAL for a name
  kNames,        // may ask a name server: blocks
};
// "" stands for every interface.
io::IoResult<SocketAddress> resolve(const io::Address& address, Resolve how);
io::Address to_address(const sockaddr_storage& storage);
io::Address local_address(int socket);
io::Address peer_address(int socket);

// A non-blocking listening socket.
io::IoResult<int> listening_socket(const io::Address& address, int backlog);
// Non-blocking, without Nagle's delay.
void set_stream_options(int socket);

// "operation address: reason" with errno's value.
io::IoError socket_error(const char* operation, const io::Address& address, int code);

}  // namespace host
