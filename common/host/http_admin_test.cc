#include "common/host/http_admin.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "common/host/metrics.h"
#include "common/host/socket_client_test.h"

namespace host {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

class HttpAdminTest : public testing::Test {
 protected:
  HttpAdmin& make(HttpAdminOptions options = {}) {
    options.address = {"127.0.0.1", 0};
    http_ = std::make_unique<HttpAdmin>(options, diag_);
    http_->route("GET", "/ping", [](const HttpRequest&) { return HttpReply{200, "pong\n"}; });
    http_->route("POST", "/v1/topics/*/x", [](const HttpRequest& in) {
      return HttpReply{200, in.captures[0] + "|" + in.body + "|" +
                                (in.query.empty() ? "" : in.query.begin()->second)};
    });
    http_->route("GET", "/throws",
                 [](const HttpRequest&) -> HttpReply { throw std::runtime_error("oh"); });
    return *http_;
  }
  void start() {
    const auto address = http_->start();
    ASSERT_TRUE(address.has_value());
    EXPECT_NE(address->port, 0);
    address_ = *address;
  }
  // One request on a connection of its own; the whole answer.
  std::string ask(const std::string& request) {
    SocketClient client(address_);
    client.send(request);
    client.end_sending();
    return client.receive(1 << 20);
  }
  static std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  }

  base::SilentDiag diag_;
  std::unique_ptr<HttpAdmin> http_;
  io::Address address_;
};

// Goal: routes, methods, captures that keep an encoded slash, handler failures. Method: raw
// requests.
TEST_F(HttpAdminTest, Routes) {
  make();
  start();
  EXPECT_THAT(ask(get("/ping")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(get("/ping")), HasSubstr("pong"));
  EXPECT_THAT(ask(get("/none")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(get("/ping/")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(get("/throws")), StartsWith("HTTP/1.1 500"));
  const std::string wrong = ask("DELETE /ping HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(wrong, HasSubstr("Allow: GET\r\n"));
  EXPECT_THAT(ask("POST /v1/topics/a%2Fb/x?q=1%202 HTTP/1.1\r\nContent-Length: 4\r\n"
                  "Connection: close\r\n\r\nbody"),
              HasSubstr("a/b|body|1 2"));
  EXPECT_THAT(ask("HEAD /ping HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(get("/" + std::string(10'000, 'a'))), StartsWith("HTTP/1.1 414"));
}

// Goal: one connection serves many requests, quickly. Method: 200 requests one after the other, and
// 50 pipelined; Nagle's delay would make the first take eight seconds.
TEST_F(HttpAdminTest, KeepsConnections) {
  make();
  start();
  SocketClient client(address_);
  const std::string request = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(request);
  std::string first;
  while (!first.ends_with("pong\n")) first += client.receive(1);
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    client.send(request);
    ASSERT_EQ(client.receive(first.size()), first);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  std::string many;
  for (int i = 0; i < 50; ++i) many += request;
  client.send(many);
  EXPECT_EQ(client.receive(50 * first.size()).size(), 50 * first.size());
}

// Goal: memory and time of one request are bounded. Method: endless headers, one endless header
// line, a long and an endless chunked body, a request that never ends; each ends soon.
TEST_F(HttpAdminTest, BoundsARequest) {
  make({.body_bytes_max = 100'000, .request_timeout = 200ms});
  start();
  const auto flood = [&](const std::string& start_with, const std::string& piece) {
    SocketClient client(address_);
    client.send(start_with);
    for (int i = 0; i < 10'000 && client.send(piece); ++i) {
    }
    return client.receive(1 << 16);
  };
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "a: b\r\n";
  // The reply may be lost to the reset that the unread rest causes; what counts is the end.
  const auto is_431 = [](const std::string& answer) {
    return answer.empty() || answer.starts_with("HTTP/1.1 431");
  };
  EXPECT_TRUE(is_431(flood("GET /ping HTTP/1.1\r\n", lines)));
  EXPECT_TRUE(is_431(flood("GET /ping HTTP/1.1\r\nlong: ", std::string(600, 'x'))));
  EXPECT_THAT(ask("GET /ping HTTP/1.1\r\nlong: " + std::string(16'400, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask("POST /v1/topics/a/x HTTP/1.1\r\nContent-Length: 100001\r\n\r\n" +
                  std::string(100'001, 'x')),
              StartsWith("HTTP/1.1 413"));
  const std::string chunk = "1000\r\n" + std::string(4'096, 'x') + "\r\n";
  const std::string chunked =
      flood("POST /v1/topics/a/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", chunk);
  EXPECT_THAT(chunked, testing::Not(HasSubstr("200 OK")));
  EXPECT_EQ(ask("GET /ping HTTP/1.1\r\nHos").substr(0, 12), "HTTP/1.1 400");
  SocketClient slow(address_);
  slow.send("GET /ping HTTP/1.1\r\nHos");
  EXPECT_THAT(slow.receive(1 << 16), testing::Not(HasSubstr("200 OK")));  // ended by the server
  EXPECT_THAT(ask(get("/ping")), HasSubstr("pong"));
}

// Goal: idle clients do not keep others out. Method: more idle connections than threads, each after
// a request; another request is answered long before their idle time is over.
TEST_F(HttpAdminTest, IdleConnectionsYield) {
  make({.threads = 2, .idle_timeout = 1h});
  start();
  std::vector<std::unique_ptr<SocketClient>> idle;
  for (int i = 0; i < 6; ++i) {
    idle.push_back(std::make_unique<SocketClient>(address_));
    idle.back()->send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(idle.back()->receive(12), "HTTP/1.1 200");
  }
  EXPECT_THAT(ask(get("/ping")), HasSubstr("pong"));
}

// Goal: stop does not wait for clients. Method: an idle connection and one in the middle of a
// request, with timeouts of an hour; stop returns at once.
TEST_F(HttpAdminTest, StopDoesNotHang) {
  make({.request_timeout = 1h, .idle_timeout = 1h});
  start();
  SocketClient idle(address_);
  idle.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(idle.receive(12), "HTTP/1.1 200");
  SocketClient slow(address_);
  slow.send("POST /v1/topics/a/x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  const auto before = std::chrono::steady_clock::now();
  http_->stop();
  http_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

// Goal: health answers with the failing checks. Method: one check that fails on demand.
TEST_F(HttpAdminTest, Health) {
  std::atomic<bool> ready{false};
  host::Health health;
  health.live("loop", [] { return std::string(); });
  health.ready("log recovered",
               [&] { return ready ? std::string() : std::string("12 of 100 partitions"); });
  health.serve_on(make());
  start();
  EXPECT_THAT(ask(get("/livez")), HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(ask(get("/readyz")), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(ask(get("/readyz?verbose")), HasSubstr("FAILED  log recovered: 12 of 100"));
  ready = true;
  EXPECT_THAT(ask(get("/readyz?verbose")), HasSubstr("ok      log recovered\n"));
}

// Goal: a question to a reactor is answered on it, and a stuck reactor does not hold the server.
// Method: a running reactor, then one that never runs.
TEST_F(HttpAdminTest, AsksReactors) {
  ReactorThread running;
  running.start();
  EXPECT_EQ(host::ask<bool>(running.reactor, [&] { return running.reactor.here(); }, 10s), true);
  BlockingPool pool;
  Reactor stuck(pool);
  EXPECT_EQ(host::ask<bool>(stuck, [] { return true; }, 5ms), std::nullopt);
}

// Goal: the page is what Prometheus reads: sources of two reactors add up, histograms are in
// seconds, labels are escaped. Method: compared lines.
TEST(Metrics, ShowsSourcesAddedUp) {
  Metrics metrics;
  base::Counter one;
  base::Counter two;
  base::Histogram latency;
  one.add(3);
  two.add(4);
  latency.record(20'000);     // 20 us
  latency.record(3'000'000);  // 3 ms
  metrics.counter("moldau_requests_total", "Requests.", {{"api", "Produce"}}, one);
  metrics.counter("moldau_requests_total", "Requests.", {{"api", "Produce"}}, two);
  metrics.histogram("moldau_request_seconds", "Time.", {}, latency);
  metrics.gauges("moldau_log_bytes", "Size.",
                 [](const Metrics::Emit& emit) { emit({{"topic", "a\"b"}}, 1.5); });
  add_process_metrics(metrics);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# HELP moldau_requests_total Requests.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE moldau_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("moldau_requests_total{api=\"Produce\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("moldau_log_bytes{topic=\"a\\\"b\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("moldau_request_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("moldau_request_seconds_bucket{le=\"1.6384e-05\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("moldau_request_seconds_bucket{le=\"3.2768e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("moldau_request_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes"));
}

}  // namespace
}  // namespace host
