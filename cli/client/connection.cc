#include "cli/client/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/client/interrupt.h"
#include "common/wire/api_key.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/moldau_admin_request.h"

namespace cli {
namespace {

// What a client is told on one connection at most: a fetch answer with the largest batch there is.
constexpr std::int32_t kFrameSizeMax = 512 << 20;
constexpr const char* kClientId = "moldau-cli";

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first) freeaddrinfo(first);
  }
};

std::string error_text(int code) { return std::strerror(code); }

// Waits until the socket has one of the events; errno text on failure, empty on success.
std::string wait_socket(int socket, short events, Deadline deadline) {
  while (true) {
    pollfd entry{.fd = socket, .events = events, .revents = 0};
    int ready = poll(&entry, 1, static_cast<int>(deadline.left().count()));
    if (ready > 0) return {};
    if (interrupted()) return "interrupted";
    if (ready == 0) return "timed out";
    if (errno != EINTR) return error_text(errno);
  }
}

// A connected non-blocking socket, or the reason why not.
std::expected<int, std::string> connect_one(const addrinfo& to, Deadline deadline) {
  int socket = ::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::unexpected(error_text(errno));
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::string failure;
  if (connect(socket, to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) {
      failure = error_text(errno);
    } else {
      failure = wait_socket(socket, POLLOUT, deadline);
      int code = 0;
      socklen_t size = sizeof code;
      if (failure.empty() && getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 &&
          code != 0) {
        failure = error_text(code);
      }
    }
  }
  if (failure.empty()) return socket;
  close(socket);
  return std::unexpected(failure);
}

std::expected<int, std::string> connect_any(const Address& address, Deadline deadline) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  AddressList list;
  int code =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &list.first);
  if (code != 0) return std::unexpected(std::string(gai_strerror(code)));
  std::string failure = "no address";
  for (const addrinfo* to = list.first; to; to = to->ai_next) {
    auto socket = connect_one(*to, deadline);
    if (socket) return *socket;
    failure = socket.error();
    if (interrupted()) break;
  }
  return std::unexpected(failure);
}

}  // namespace

Try<std::unique_ptr<Connection>> Connection::open(const Address& address, Deadline deadline) {
  auto socket = connect_any(address, deadline);
  if (!socket) {
    return std::unexpected(
        Trouble{fmt::format("broker {}: {}", address.to_string(), socket.error()), {}, true});
  }
  std::unique_ptr<Connection> connection(new Connection(address, *socket));
  if (auto asked = connection->ask_versions(deadline); !asked) {
    return std::unexpected(asked.error());
  }
  return connection;
}

Connection::~Connection() { close(socket_); }

Try<void> Connection::ask_versions(Deadline deadline) {
  constexpr std::int16_t kKey = wire::ApiVersionsRequest::kApiKey;
  wire::ApiVersionsRequest request;
  request.client_software_name = kClientId;
  request.client_software_version = "0.1.0";
  // A broker that does not know our version answers in version 0 and tells its range.
  std::int16_t version = 4;
  for (int attempt = 0; attempt < 2; ++attempt) {
    begin(kKey, version);
    request.encode(out_, version);
    if (auto sent = finish(kKey, version, deadline); !sent) return sent;
    base::Bytes frame;
    std::int16_t sent_version = 0;
    auto body = receive_frame(kKey, frame, sent_version, deadline);
    if (!body) return std::unexpected(body.error());
    wire::Reader peek(*body);
    auto code = peek.read_number<wire::ErrorCode>("ApiVersionsResponse.ErrorCode");
    bool refused = code == wire::ErrorCode::kUnsupportedVersion;
    wire::Reader in(*body);
    if (!capabilities_.decode(in, refused ? std::int16_t{0} : version)) {
      return std::unexpected(malformed(in.error()));
    }
    for (const auto& range : capabilities_.api_keys) {
      ranges_[range.api_key] = {range.min_version, range.max_version};
    }
    if (!refused) {
      if (code == wire::ErrorCode::kNone) return {};
      return std::unexpected(refusal(fmt::format("broker {}", address_.to_string()), code));
    }
    version = ranges_.contains(kKey) ? std::min(ranges_[kKey].max, version) : std::int16_t{0};
  }
  return std::unexpected(malformed("ApiVersions refused twice"));
}

std::optional<std::int16_t> Connection::common_version(std::int16_t api_key, Versions ours) const {
  auto range = ranges_.find(api_key);
  if (range == ranges_.end()) return std::nullopt;
  std::int16_t best = std::min(range->second.max, ours.max);
  if (best < range->second.min || best < ours.min) return std::nullopt;
  return best;
}

Try<std::int16_t> Connection::pick(std::int16_t api_key, std::int16_t min, std::int16_t max,
                                   Versions versions) const {
  auto version =
      common_version(api_key, {std::max(min, versions.min), std::min(max, versions.max)});
  if (version) return *version;
  if (api_key == wire::MoldauAdminRequest::kApiKey) return max;  // served, but not advertised
  auto range = ranges_.find(api_key);
  std::string_view name = wire::name(static_cast<wire::ApiKey>(api_key));
  std::string what =
      range == ranges_.end()
          ? fmt::format("broker {} does not offer {}", address_.to_string(), name)
          : fmt::format("broker {} offers {} in versions {} to {}, none of which we can use",
                        address_.to_string(), name, range->second.min, range->second.max);
  return std::unexpected(Trouble{std::move(what), "", false, wire::ErrorCode::kUnsupportedVersion});
}

void Connection::begin(std::int16_t api_key, std::int16_t version) {
  out_.clear();
  frame_start_ = wire::begin_frame(out_);
  wire::encode_request_header(out_, {.api_key = api_key,
                                     .api_version = version,
                                     .correlation_id = next_correlation_id_,
                                     .client_id = kClientId});
}

Try<void> Connection::finish(std::int16_t api_key, std::int16_t version, Deadline deadline) {
  if (!wire::end_frame(out_, frame_start_)) {
    return std::unexpected(
        Trouble{fmt::format("the request cannot be sent: {}", out_.error()), {}, false});
  }
  sent_.push_back({api_key, version, next_correlation_id_++});
  return write_all(out_.bytes(), deadline);
}

Try<base::BytesView> Connection::receive_frame(std::int16_t api_key, base::Bytes& frame,
                                               std::int16_t& version, Deadline deadline) {
  std::byte prefix[wire::kFrameSizeBytes];
  if (auto got = read_all(prefix, deadline); !got) return std::unexpected(got.error());
  auto size = base::load_be<std::int32_t>(prefix);
  if (size < 0 || size > kFrameSizeMax) {
    return std::unexpected(malformed(fmt::format("an answer of {} bytes", size)));
  }
  // The size is only a claim: memory grows with what arrives.
  for (std::size_t have = 0; have < static_cast<std::size_t>(size); have = frame.size()) {
    std::size_t step = std::max<std::size_t>(have, std::size_t{1} << 20);
    frame.resize(std::min(static_cast<std::size_t>(size), have + step));
    auto got = read_all(base::MutableBytes(frame).subspan(have), deadline);
    if (!got) return std::unexpected(got.error());
  }
  if (sent_.empty()) return std::unexpected(malformed("an answer to nothing"));
  Sent sent = sent_.front();
  sent_.pop_front();
  version = sent.version;
  wire::Reader in(frame);
  std::int32_t correlation_id = wire::decode_response_header(in, sent.api_key, sent.version);
  if (!in.ok()) return std::unexpected(malformed(in.error()));
  if (correlation_id != sent.correlation_id || api_key != sent.api_key) {
    return std::unexpected(malformed("an answer to another request"));
  }
  return base::BytesView(frame).subspan(in.offset());
}

Try<void> Connection::wait_for(short events, Deadline deadline) {
  std::string failure = wait_socket(socket_, events, deadline);
  if (failure.empty()) return {};
  return std::unexpected(broke(failure));
}

Try<void> Connection::write_all(base::BytesView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLOUT, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return std::unexpected(broke(error_text(errno)));
    }
  }
  return {};
}

Try<void> Connection::read_all(base::MutableBytes bytes, Deadline deadline) {
  while (!bytes.empty()) {
    ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count == 0) {
      return std::unexpected(broke("the broker closed the connection"));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLIN, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return std::unexpected(broke(error_text(errno)));
    }
  }
  return {};
}

Trouble Connection::broke(std::string_view why) {
  broken_ = true;
  return {fmt::format("broker {}: {}", address_.to_string(), why), {}, true};
}

Trouble Connection::malformed(std::string_view why) {
  broken_ = true;
  return {fmt::format("broker {} sent what is not Kafka's protocol: {}", address_.to_string(), why),
          "is something else listening there?", false};
}

}  // namespace cli
