// The HTTP port of every program: health, metrics, admin JSON. cpp-httplib parses and writes; the
// sockets, the threads and every limit are ours, because its defaults let one client hold the
// server or fill its memory. Each thread serves one connection at a time; further ones wait in the
// listen backlog, and while any waits no thread stays with an idle connection. Handlers run on
// these threads and may block shortly; what they need from a reactor they ask() for.
//
// Bad input: a request head above header_bytes_max is answered 431, a body above body_bytes_max
// 413, an unknown path 404, a known path with another method 405 with Allow, a handler that throws
// 500. A client that takes longer than request_timeout is dropped.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/diag.h"
#include "common/io/executor.h"
#include "common/io/net.h"

namespace host {

struct HttpRequest {
  std::string method;
  std::string path;  // decoded
  std::multimap<std::string, std::string> query;
  std::vector<std::string> captures;  // the segments that `*` of the route matched
  std::string body;
  std::string peer;  // host:port
  bool has(const std::string& key) const { return query.contains(key); }
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

struct HttpAdminOptions {
  io::Address address{"127.0.0.1", 9644};  // port 0 picks one
  std::size_t threads = 4;
  int backlog = 64;
  std::size_t header_bytes_max = 16 << 10;
  std::size_t body_bytes_max = 1 << 20;
  std::chrono::milliseconds request_timeout{5'000};  // to receive a request; to send a reply
  std::chrono::milliseconds idle_timeout{5'000};     // between requests of a connection
};

class HttpServer;

class HttpAdmin {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  HttpAdmin(HttpAdminOptions options, base::Diag& diag);
  ~HttpAdmin();  // stop()

  // `path` matches segment by segment; a segment `*` matches any one. Before start().
  void route(const std::string& method, const std::string& path, Handler handler);
  // Binds and starts the threads; the bound address is returned.
  io::IoResult<io::Address> start();
  // Ends within the time of a running handler: waiting, idle and slow connections are cut off.
  void stop();

 private:
  std::unique_ptr<HttpServer> server_;
};

// GET /livez and /readyz over named checks. A check answers "" when it is well, else the reason;
// it is called on HTTP threads. `?verbose` lists each check.
class Health {
 public:
  using Check = std::function<std::string()>;
  void live(std::string name, Check check) {
    live_.emplace_back(std::move(name), std::move(check));
  }
  void ready(std::string name, Check check) {
    ready_.emplace_back(std::move(name), std::move(check));
  }
  // The Health outlives the server.
  void serve_on(HttpAdmin& http) const;

 private:
  using Checks = std::vector<std::pair<std::string, Check>>;
  static HttpReply answer(const Checks& checks, const HttpRequest& request);
  Checks live_;
  Checks ready_;
};

// Runs `question` on an executor's thread and waits for the answer; nothing when it takes longer
// than `timeout` (the answer is then dropped). Never from that thread.
template <class T>
std::optional<T> ask(io::Executor& executor, std::function<T()> question,
                     std::chrono::milliseconds timeout) {
  auto promise = std::make_shared<std::promise<T>>();
  auto answer = promise->get_future();
  executor.post([promise, question = std::move(question)] { promise->set_value(question()); });
  if (answer.wait_for(timeout) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

}  // namespace host
