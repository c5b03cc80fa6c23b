// The Kubernetes API over HTTP: kube::Api on cpp-httplib. A few threads make calls, each with a
// connection that it keeps; every watch has a thread and a connection of its own. They parse what
// comes and post it to the executor. Bounds: bytes of an answer, bytes of one event, time of a
// call, silence of a watch.
//
// The token and the CA are read again every minute, the token also when the server says 401; then
// the call is made once more. A throttled call (429, or 503 with Retry-After) waits as it was told,
// a few times. Nothing else is repeated here, but a GET whose kept connection turned out to be
// dead.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/io/executor.h"
#include "operator/node/kube.h"
#include "operator/shell/access.h"

namespace kube {

struct KubeHttpOptions {
  std::size_t threads = 6;
  std::size_t answer_bytes_max = 64 << 20;
  std::size_t event_bytes_max = 8 << 20;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{20'000};  // without a byte
  // A watch that is silent for so long is cut: bookmarks come about once a minute.
  std::chrono::milliseconds watch_idle{150'000};
  // What the server is asked to end a watch after: random between these.
  std::chrono::seconds watch_min{300};
  std::chrono::seconds watch_max{600};
  std::chrono::milliseconds throttle_wait_max{10'000};
  std::chrono::milliseconds reread_every{60'000};
  std::string user_agent = "moldau-operator";
};

// Any thread may read them.
struct KubeHttpStats {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> failures{0};  // no answer, or 5xx
  std::atomic<std::uint64_t> throttled{0};
  std::atomic<std::uint64_t> writes{0};  // neither get nor list, nor of the Lease
  std::atomic<std::uint64_t> watches_opened{0};
};

class KubeHttp final : public Api {
 public:
  // `executor` outlives it; `seed` makes the length of watches random.
  KubeHttp(Access access, KubeHttpOptions options, io::Executor& executor, std::uint64_t seed);
  // stop()
  ~KubeHttp() override;

  void call(ApiCall call, Reply reply) override;
  std::unique_ptr<Watch> watch(WatchRequest request, WatchHandler handler) override;
  // Ends every connection and waits for the threads. What was not answered never will be. Not from
  // the executor's thread while that must turn for others.
  void stop();

  const KubeHttpStats& stats() const;
  // When a call was last answered, whatever the answer was: of the steady clock, in seconds; 0:
  // never. Any thread.
  std::int64_t last_answer() const;

  class Credentials;
  class Connection;
  class Stream;
  class Core;

 private:
  std::shared_ptr<Core> core_;
};

// What a call looks like in HTTP.
struct HttpForm {
  std::string method;
  std::string target;  // path and query
  std::string content_type;
  std::string body;
};
HttpForm form_of(const ApiCall& call);
std::string watch_target(const WatchRequest& request, std::chrono::seconds timeout);
std::string escape(std::string_view text);
// Reads JSON, leaving out metadata.managedFields and kubectl's annotation; nothing when it is none.
std::optional<Json> parse_object(std::string_view text);
// From an answer with a status that is no success.
ApiError error_of(int status, std::string_view body);
ApiError error_of_status(const Json& status_object);

}  // namespace kube
