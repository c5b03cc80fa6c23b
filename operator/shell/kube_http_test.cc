#include "operator/shell/kube_http.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "common/host/reactor_pool.h"
#include "operator/shell/test_identity.h"

namespace kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Kind& kKind = kConfigMaps;

class KubeHttpTest : public testing::Test {
 protected:
  KubeHttpTest() : server(identity.certificate, identity.key) {
    access.host = "127.0.0.1";
    access.ca_pem = identity.pem();
    access.token = "first";
    options.connect_timeout = milliseconds(2000);
    options.call_timeout = milliseconds(3000);
    options.throttle_wait_max = milliseconds(200);
  }
  ~KubeHttpTest() override {
    if (api) api->stop();
    closing = true;
    server.stop();
    if (serving.joinable()) serving.join();
    pool.stop();
  }
  void start() {
    access.port = static_cast<std::uint16_t>(server.bind_to_any_port("127.0.0.1"));
    serving = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
    pool.start();
    api = std::make_unique<KubeHttp>(access, options, pool[0], 1);
  }
  ApiResult<Json> call(ApiCall request) {
    auto promise = std::make_shared<std::promise<ApiResult<Json>>>();
    auto future = promise->get_future();
    request.kind = &kKind;
    request.ns = "n";
    api->call(std::move(request),
              [promise](auto result) { promise->set_value(std::move(result)); });
    if (future.wait_for(seconds(10)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return std::unexpected(ApiError{});
    }
    return future.get();
  }
  ApiResult<Json> get() {
    ApiCall request;
    request.name = "a";
    return call(std::move(request));
  }

  // What a watch told, from the reactor's thread.
  struct Seen {
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::string> events;
    bool ended = false;
    std::optional<ApiError> error;
  };
  std::unique_ptr<Watch> follow(Seen& seen) {
    WatchHandler handler;
    handler.on_event = [&seen](const WatchEvent& event) {
      std::lock_guard lock(seen.mutex);
      seen.events.push_back(std::to_string(static_cast<int>(event.type)) + " " +
                            meta_name(event.object) + meta_version(event.object));
      seen.wake.notify_all();
    };
    handler.on_end = [&seen](std::optional<ApiError> error) {
      std::lock_guard lock(seen.mutex);
      seen.ended = true;
      seen.error = std::move(error);
      seen.wake.notify_all();
    };
    return api->watch({&kKind, "n", "l=v", "7"}, std::move(handler));
  }
  template <class Done>
  bool wait(Seen& seen, Done done) {
    std::unique_lock lock(seen.mutex);
    return seen.wake.wait_for(lock, seconds(10), done);
  }
  static std::string event(const std::string& type, const std::string& name, int version) {
    return R"({"type":")" + type + R"(","object":{"kind":"ConfigMap","metadata":{"name":")" + name +
           R"(","resourceVersion":")" + std::to_string(version) +
           R"(","managedFields":[{"a":1}]}}})" + "\n";
  }
  // Answers watches with these pieces, one write each, then stays open unless `end`.
  void serve_watch(std::vector<std::string> pieces, bool end) {
    server.Get(kPath, [this, pieces, end](const httplib::Request& in, httplib::Response& out) {
      target = in.target;
      out.set_chunked_content_provider("application/json",
                                       [this, pieces, end](std::size_t, httplib::DataSink& sink) {
                                         for (const std::string& each : pieces)
                                           sink.write(each.data(), each.size());
                                         while (!end && !closing && sink.is_writable()) {
                                           std::this_thread::sleep_for(milliseconds(10));
                                         }
                                         sink.done();
                                         return true;
                                       });
    });
  }

  static constexpr const char* kPath = "/api/v1/namespaces/n/configmaps";
  Identity identity;
  httplib::SSLServer server;
  std::thread serving;
  std::atomic<bool> closing{false};
  std::string target;
  Access access;
  KubeHttpOptions options;
  host::ReactorPool pool{{.reactors = 1}};
  std::unique_ptr<KubeHttp> api;
};

// Goal: an object comes as it is, without managedFields; the token goes along.
TEST_F(KubeHttpTest, Gets) {
  server.Get("/api/v1/namespaces/n/configmaps/a", [](const auto& in, auto& out) {
    if (in.get_header_value("Authorization") != "Bearer first") out.status = 401;
    out.set_content(R"({"metadata":{"name":"a","managedFields":[1]},"data":{"k":"v"}})",
                    "application/json");
  });
  start();
  const auto result = get();
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(*result, Json::parse(R"({"metadata":{"name":"a"},"data":{"k":"v"}})"));
  EXPECT_EQ(api->stats().calls.load(), 1u);
  EXPECT_EQ(api->stats().writes.load(), 0u);
}

// Goal: a refusal is told with the server's words; an answer that is no JSON is an error.
TEST_F(KubeHttpTest, TellsRefusals) {
  int round = 0;
  server.Get("/api/v1/namespaces/n/configmaps/a", [&](const auto&, auto& out) {
    out.status = ++round == 1 ? 404 : 200;
    out.set_content(round == 1
                        ? R"({"kind":"Status","code":404,"reason":"NotFound","message":"gone"})"
                        : "<html>",
                    "application/json");
  });
  start();
  const auto missing = get();
  ASSERT_FALSE(missing.has_value());
  EXPECT_TRUE(missing.error().is_not_found());
  EXPECT_EQ(missing.error().to_string(), "404 NotFound: gone");
  EXPECT_FALSE(get().has_value());
}

// Goal: writes go as the API wants them. Method: the server keeps what came.
TEST_F(KubeHttpTest, Writes) {
  struct Came {
    std::string method, target, type, body;
  } came;
  const auto keep = [&](const httplib::Request& in, httplib::Response& out,
                        const httplib::ContentReader& read) {
    came = {in.method, in.target, in.get_header_value("Content-Type"), ""};
    read([&](const char* bytes, std::size_t size) {
      came.body.append(bytes, size);
      return true;
    });
    out.set_content("{}", "application/json");
  };
  server.Patch(".*", keep);
  server.Put(".*", keep);
  server.Post(".*", keep);
  server.Delete(".*", keep);
  start();
  ApiCall apply;
  apply.verb = Verb::kApply;
  apply.name = "a";
  apply.subresource = "status";
  apply.body = {{"status", "ü\xff"}};
  EXPECT_TRUE(call(apply).has_value());
  EXPECT_EQ(came.method, "PATCH");
  EXPECT_EQ(came.type, "application/apply-patch+yaml");
  EXPECT_EQ(came.target, std::string(kPath) + "/a/status?fieldManager=moldau-operator&force=true");
  EXPECT_EQ(Json::parse(came.body)["status"], "ü\xEF\xBF\xBD");
  ApiCall remove;
  remove.verb = Verb::kDelete;
  remove.name = "a";
  remove.uid = "u1";
  remove.resource_version = "9";
  EXPECT_TRUE(call(remove).has_value());
  EXPECT_EQ(came.method, "DELETE");
  EXPECT_EQ(Json::parse(came.body)["preconditions"],
            Json::parse(R"({"uid":"u1","resourceVersion":"9"})"));
  ApiCall create;
  create.verb = Verb::kCreate;
  create.body = {{"a", 1}};
  EXPECT_TRUE(call(create).has_value());
  EXPECT_EQ(came.method + came.target, std::string("POST") + kPath);
  EXPECT_EQ(api->stats().writes.load(), 3u);
}

// Goal: an outdated token is read again at once, and the call made once more.
TEST_F(KubeHttpTest, RereadsTokenWhenItIsRefused) {
  const auto file =
      std::filesystem::temp_directory_path() / ("kube_http_test_" + std::to_string(::getpid()));
  std::ofstream(file) << "old\n";
  server.Get("/api/v1/namespaces/n/configmaps/a", [&](const auto& in, auto& out) {
    out.status = in.get_header_value("Authorization") == "Bearer new" ? 200 : 401;
    out.set_content("{}", "application/json");
  });
  access.token_file = file.string();
  start();
  const auto refused = get();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().status, 401);
  EXPECT_EQ(api->stats().calls.load(), 2u);
  std::ofstream(file) << "new\n";
  EXPECT_TRUE(get().has_value());
  EXPECT_EQ(api->stats().calls.load(), 4u);
  std::filesystem::remove(file);
}

// Goal: what is throttled waits and is repeated, a few times.
TEST_F(KubeHttpTest, WaitsWhenThrottled) {
  std::atomic<int> left{2};
  server.Get("/api/v1/namespaces/n/configmaps/a", [&](const auto&, auto& out) {
    if (left-- > 0) {
      out.status = 429;
      out.set_header("Retry-After", "1");
    }
    out.set_content("{}", "application/json");
  });
  start();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(get().has_value());
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(400));
  EXPECT_EQ(api->stats().throttled.load(), 2u);
  left = 100;
  EXPECT_EQ(get().error().status, 429);
}

// Goal: a server that others vouch for, or that is another one, is not talked to.
TEST_F(KubeHttpTest, RefusesUnknownServer) {
  access.ca_pem = Identity().pem();
  start();
  const auto result = get();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().status, 0);
  EXPECT_NE(result.error().message.find("not signed by the CA"), std::string::npos);
}
TEST_F(KubeHttpTest, RefusesServerOfAnotherName) {
  access.tls_server_name = "elsewhere";
  start();
  EXPECT_NE(get().error().message.find("not for this name"), std::string::npos);
}
TEST_F(KubeHttpTest, KnowsServerByAnotherName) {
  access.tls_server_name = "kubernetes";
  server.Get(".*", [](const auto&, auto& out) { out.set_content("{}", "application/json"); });
  start();
  EXPECT_TRUE(get().has_value());
}

// Goal: an answer longer than the bound is not taken.
TEST_F(KubeHttpTest, BoundsAnswers) {
  options.answer_bytes_max = 1000;
  server.Get(".*", [](const auto&, auto& out) {
    out.set_content("{\"a\":\"" + std::string(2000, 'x') + "\"}", "application/json");
  });
  start();
  EXPECT_NE(get().error().message.find("longer"), std::string::npos);
}

// Goal: nobody there is said so.
TEST_F(KubeHttpTest, SaysThatNobodyIsThere) {
  start();
  server.stop();
  serving.join();
  const auto result = get();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().status, 0);
  EXPECT_TRUE(result.error().is_transient());
}

// Goal: events come one by one however they are cut, bookmarks and all; ending the watch ends it.
TEST_F(KubeHttpTest, Watches) {
  const std::string all = event("ADDED", "a", 8) + event("MODIFIED", "a", 9) +
                          event("FUTURE", "a", 10) + event("DELETED", "a", 11) +
                          event("BOOKMARK", "", 12);
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < all.size(); at += 7) pieces.push_back(all.substr(at, 7));
  serve_watch(pieces, false);
  start();
  Seen seen;
  auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.events.size() == 4; }));
  EXPECT_EQ(seen.events, (std::vector<std::string>{"0 a8", "1 a9", "2 a11", "3 12"}));
  EXPECT_FALSE(seen.ended);
  EXPECT_TRUE(target.starts_with(std::string(kPath) +
                                 "?watch=true&allowWatchBookmarks=true&resourceVersion=7"
                                 "&timeoutSeconds="));
  EXPECT_TRUE(target.ends_with("&labelSelector=l%3Dv"));
  watch.reset();
  EXPECT_EQ(seen.events.size(), 4u);
}

// Goal: a watch that the server ends is no error; an ERROR event is the one it names.
TEST_F(KubeHttpTest, WatchEnds) {
  serve_watch({event("ADDED", "a", 8)}, true);
  start();
  Seen seen;
  const auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.ended; }));
  EXPECT_EQ(seen.events.size(), 1u);
  EXPECT_FALSE(seen.error.has_value());
}
TEST_F(KubeHttpTest, WatchIsTooOld) {
  serve_watch({R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
               "\n"},
              false);
  start();
  Seen seen;
  const auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.ended; }));
  ASSERT_TRUE(seen.error.has_value());
  EXPECT_TRUE(seen.error->is_gone());
}
TEST_F(KubeHttpTest, WatchIsRefused) {
  server.Get(kPath, [](const auto&, auto& out) {
    out.status = 410;
    out.set_content(R"({"kind":"Status","code":410,"reason":"Gone","message":"old"})",
                    "application/json");
  });
  start();
  Seen seen;
  const auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.ended; }));
  ASSERT_TRUE(seen.error.has_value());
  EXPECT_TRUE(seen.error->is_gone());
}
TEST_F(KubeHttpTest, WatchThatIsNoJson) {
  serve_watch({"nonsense\n"}, false);
  start();
  Seen seen;
  const auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.ended; }));
  ASSERT_TRUE(seen.error.has_value());
  EXPECT_EQ(seen.error->status, 0);
}

// Goal: a watch on a dead connection ends by itself.
TEST_F(KubeHttpTest, WatchThatIsSilentIsCut) {
  options.watch_idle = milliseconds(300);
  serve_watch({event("ADDED", "a", 8)}, false);
  start();
  Seen seen;
  const auto watch = follow(seen);
  EXPECT_TRUE(wait(seen, [&] { return seen.ended; }));
  EXPECT_EQ(seen.events.size(), 1u);
}

}  // namespace
}  // namespace kube
