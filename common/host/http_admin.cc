#include "common/host/http_admin.h"

#include <httplib.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "common/base/check.h"
#include "common/host/descriptor.h"
#include "common/host/http_stream.h"
#include "common/host/socket_address.h"

namespace host {
namespace {

// Between requests a thread looks this often whether somebody else waits for it.
constexpr std::chrono::milliseconds kIdleLook{50};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// "/a/b" -> {"a", "b"}. Cut before decoding: %2F stays inside its segment.
std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(decode(path.substr(0, end)));
    path.remove_prefix(end);
  }
  return parts;
}

struct Route {
  std::string method;
  std::vector<std::string> pattern;
  HttpAdmin::Handler handler;

  bool matches(const std::vector<std::string>& path, std::vector<std::string>& captures) const {
    captures.clear();
    if (path.size() != pattern.size()) return false;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (pattern[i] == "*") {
        captures.push_back(path[i]);
      } else if (pattern[i] != path[i]) {
        return false;
      }
    }
    return true;
  }
};

}  // namespace

class HttpServer final : private httplib::Server {
 public:
  HttpServer(HttpAdminOptions options, base::Diag& diag)
      : options_(std::move(options)),
        diag_(diag),
        stop_(eventfd(0, EFD_CLOEXEC)),
        limits_{options_.header_bytes_max, options_.header_bytes_max + options_.body_bytes_max,
                options_.request_timeout} {
    CHECK(stop_.is_open());
    set_payload_max_length(options_.body_bytes_max);
    set_pre_routing_handler([this](const auto& in, auto& out) { return refuse(in, out); });
    const auto all = [this](const httplib::Request& in, httplib::Response& out) { serve(in, out); };
    Get(".*", all);
    Post(".*", Handler(all));
    Put(".*", Handler(all));
    Patch(".*", Handler(all));
    Delete(".*", Handler(all));
  }
  ~HttpServer() override { stop_all(); }

  void add(Route route) {
    CHECK(threads_.empty());
    routes_.push_back(std::move(route));
  }
  io::IoResult<io::Address> start_all();
  void stop_all();

 private:
  void run();
  void converse(Descriptor socket);
  bool answer(HttpStream& stream);
  bool others_wait() const;
  const Route* find(const httplib::Request& request, std::vector<std::string>& captures,
                    std::string& allowed) const;
  HandlerResponse refuse(const httplib::Request& in, httplib::Response& out) const;
  void serve(const httplib::Request& in, httplib::Response& out) const;

  const HttpAdminOptions options_;
  base::Diag& diag_;
  const Descriptor stop_;  // readable once everything shall end
  const HttpStream::Limits limits_;
  std::vector<Route> routes_;
  Descriptor socket_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> free_threads_{0};
};

io::IoResult<io::Address> HttpServer::start_all() {
  const auto socket = listening_socket(options_.address, options_.backlog);
  if (!socket) return std::unexpected(socket.error());
  socket_ = Descriptor(*socket);
  free_threads_ = options_.threads;
  for (std::size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
  return local_address(*socket);
}

void HttpServer::stop_all() {
  const std::uint64_t one = 1;
  CHECK(write(stop_.get(), &one, sizeof one) == sizeof one);
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  socket_.reset();
}

void HttpServer::run() {
  for (;;) {
    std::array<pollfd, 2> polled = {{{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[1].revents != 0) return;
    Descriptor accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.is_open()) {
      // Without a descriptor the caller stays in the backlog: look again later, do not spin.
      if (errno == EMFILE || errno == ENFILE) poll(&polled[1], 1, 100);
      continue;
    }
    free_threads_.fetch_sub(1);
    set_stream_options(accepted.get());
    try {
      converse(std::move(accepted));
    } catch (const std::exception& error) {
      diag_.error("http", "connection dropped", {{"error", error.what()}});
    }
    free_threads_.fetch_add(1);
  }
}

bool HttpServer::others_wait() const {
  pollfd polled{socket_.get(), POLLIN, 0};
  return free_threads_.load() == 0 && poll(&polled, 1, 0) > 0;
}

void HttpServer::converse(Descriptor socket) {
  HttpStream stream(std::move(socket), stop_.get(), limits_);
  for (auto idle = std::chrono::milliseconds(0); idle < options_.idle_timeout;) {
    switch (stream.wait_for_request(kIdleLook)) {
      case HttpStream::Next::kEnd:
        return;
      case HttpStream::Next::kTimeout:
        if (others_wait()) return;
        idle += kIdleLook;
        break;
      case HttpStream::Next::kRequest:
        if (!answer(stream)) return;
        idle = std::chrono::milliseconds(0);
    }
  }
}

// False when the connection shall end.
bool HttpServer::answer(HttpStream& stream) {
  stream.begin_request();
  bool closed = false;
  const bool good = process_request(stream, others_wait(), closed, nullptr);
  if (stream.head_too_large()) {
    stream.forget_reply();
    stream.write(
        "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n");
    closed = true;
  }
  return stream.send_reply() && good && !closed && !stream.broken();
}

const Route* HttpServer::find(const httplib::Request& request, std::vector<std::string>& captures,
                              std::string& allowed) const {
  const std::string_view target = request.target;
  const auto path = segments(target.substr(0, target.find('?')));
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (const Route& route : routes_) {
    if (!route.matches(path, captures)) continue;
    if (route.method == method) return &route;
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  return nullptr;
}

httplib::Server::HandlerResponse HttpServer::refuse(const httplib::Request& in,
                                                    httplib::Response& out) const {
  std::vector<std::string> captures;
  std::string allowed;
  if (find(in, captures, allowed) != nullptr) return HandlerResponse::Unhandled;
  if (allowed.empty()) {
    out.status = 404;
    out.set_content("nothing is here\n", "text/plain; charset=utf-8");
  } else {
    out.status = 405;
    out.set_header("Allow", allowed);
    out.set_content("the method is not allowed here\n", "text/plain; charset=utf-8");
  }
  // The body was not read: what follows on this connection cannot be told from a request.
  if (in.has_header("Content-Length") || in.has_header("Transfer-Encoding")) {
    out.set_header("Connection", "close");
  }
  return HandlerResponse::Handled;
}

void HttpServer::serve(const httplib::Request& in, httplib::Response& out) const {
  HttpRequest request;
  std::string allowed;
  const Route* const route = find(in, request.captures, allowed);
  CHECK(route != nullptr);  // refuse() has looked
  request.method = in.method;
  request.path = in.target.substr(0, in.target.find('?'));
  request.query = {in.params.begin(), in.params.end()};
  request.body = in.body;
  request.peer = in.remote_addr + ":" + std::to_string(in.remote_port);
  HttpReply reply;
  try {
    reply = route->handler(request);
  } catch (const std::exception& error) {
    diag_.error("http", "handler failed", {{"path", request.path}, {"error", error.what()}});
    reply = {500, "the handler failed; see the log\n"};
  }
  out.status = reply.status;
  out.set_content(std::move(reply.body), reply.content_type);
}

HttpAdmin::HttpAdmin(HttpAdminOptions options, base::Diag& diag)
    : server_(std::make_unique<HttpServer>(std::move(options), diag)) {}
HttpAdmin::~HttpAdmin() = default;

void HttpAdmin::route(const std::string& method, const std::string& path, Handler handler) {
  CHECK(path.starts_with('/'));
  server_->add({method, segments(path), std::move(handler)});
}

io::IoResult<io::Address> HttpAdmin::start() { return server_->start_all(); }
void HttpAdmin::stop() { server_->stop_all(); }

// --- health

HttpReply Health::answer(const Checks& checks, const HttpRequest& request) {
  HttpReply reply;
  std::string failed;
  for (const auto& [name, check] : checks) {
    const std::string reason = check();
    reply.body += (reason.empty() ? "ok      " : "FAILED  ") + name;
    if (!reason.empty()) {
      reply.body += ": " + reason;
      reply.status = 503;
      failed += name + ": " + reason + "\n";
    }
    reply.body += '\n';
  }
  if (!request.has("verbose")) reply.body = failed.empty() ? "ok\n" : failed;
  return reply;
}

void Health::serve_on(HttpAdmin& http) const {
  http.route("GET", "/livez", [this](const HttpRequest& in) { return answer(live_, in); });
  http.route("GET", "/readyz", [this](const HttpRequest& in) { return answer(ready_, in); });
}

}  // namespace host
