#include "operator/shell/kube_http.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "operator/shell/kube_connection.h"

namespace kube {
namespace {

using std::chrono::milliseconds;

constexpr int kThrottledMax = 4;                // waits of one call
constexpr std::size_t kEventsPostedMax = 4096;  // that the executor has not taken yet

bool is_write(Verb verb) { return verb != Verb::kGet && verb != Verb::kList; }

milliseconds wait_of(const std::string& retry_after, milliseconds most) {
  int seconds = 1;
  std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  return std::clamp<milliseconds>(std::chrono::seconds(std::max(seconds, 0)), milliseconds(100),
                                  most);
}

}  // namespace

// ---- one watch: a thread of its own, that ends by itself once it was stopped

class KubeHttp::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(Credentials& credentials, const KubeHttpOptions& options, io::Executor& executor,
         WatchHandler handler)
      : options_(options),
        executor_(executor),
        handler_(std::move(handler)),
        connection_(credentials, options, options.watch_idle) {}

  // Its thread.
  void run(const std::string& target);
  // Any thread. Nothing is told any more.
  void stop() {
    stopped_ = true;
    connection_.stop();
  }

 private:
  bool take(const char* bytes, std::size_t size);
  bool take_line(std::string_view line);
  void finish(std::optional<ApiError> error);

  const KubeHttpOptions& options_;
  io::Executor& executor_;
  const WatchHandler handler_;
  Connection connection_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::size_t> posted_{0};
  int status_ = 0;
  std::string rest_;  // an event that has not come whole; or what an error says
  std::optional<ApiError> error_;
};

void KubeHttp::Stream::run(const std::string& target) {
  const std::string why = connection_.stream(
      target,
      [this](int status) {
        status_ = status;
        return !stopped_;
      },
      [this](const char* bytes, std::size_t size) { return take(bytes, size); });
  if (!error_ && status_ >= 300) error_ = error_of(status_, rest_);
  // The server ends a watch when its time is up, and some cut it: either way go on from there.
  const bool began = status_ == 200;
  if (!error_ && !why.empty() && !began) error_ = ApiError{0, "", why};
  finish(std::move(error_));
}

bool KubeHttp::Stream::take(const char* bytes, std::size_t size) {
  if (stopped_) return false;
  if (rest_.size() + size > options_.event_bytes_max) {
    error_ = ApiError{0, "", "an event is longer than we take"};
    return false;
  }
  if (status_ >= 300) {
    rest_.append(bytes, size);
    return true;
  }
  std::string_view fresh(bytes, size);
  for (std::size_t end = 0; (end = fresh.find('\n')) != std::string_view::npos;) {
    bool good = true;
    if (rest_.empty()) {
      good = take_line(fresh.substr(0, end));
    } else {
      rest_.append(fresh.substr(0, end));
      good = take_line(rest_);
      rest_.clear();
    }
    if (!good) return false;
    fresh.remove_prefix(end + 1);
  }
  rest_.append(fresh);
  return true;
}

bool KubeHttp::Stream::take_line(std::string_view line) {
  if (line.empty()) return true;
  auto parsed = parse_object(line);
  if (!parsed || !object_at(*parsed, {"object"}).is_object()) {
    error_ = ApiError{0, "", "an event of a watch cannot be read"};
    return false;
  }
  const std::string type = text_at(*parsed, {"type"});
  if (type == "ERROR") {
    error_ = error_of_status((*parsed)["object"]);
    return false;
  }
  WatchEvent event{WatchEvent::Type::kBookmark, std::move((*parsed)["object"])};
  if (type == "ADDED") {
    event.type = WatchEvent::Type::kAdded;
  } else if (type == "MODIFIED") {
    event.type = WatchEvent::Type::kModified;
  } else if (type == "DELETED") {
    event.type = WatchEvent::Type::kDeleted;
  } else if (type != "BOOKMARK") {
    return true;  // of a later API: it concerns nobody here
  }
  // What the executor does not keep up with stays in the socket.
  while (posted_.load() >= kEventsPostedMax && !stopped_) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  ++posted_;
  executor_.post([self = shared_from_this(), event = std::move(event)]() mutable {
    --self->posted_;
    if (!self->stopped_) self->handler_.on_event(std::move(event));
  });
  return true;
}

void KubeHttp::Stream::finish(std::optional<ApiError> error) {
  executor_.post([self = shared_from_this(), error = std::move(error)]() mutable {
    if (!self->stopped_) self->handler_.on_end(std::move(error));
  });
}

namespace {

// Ends its stream with it.
template <class Stream>
class Held final : public Watch {
 public:
  explicit Held(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~Held() override { stream_->stop(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

// ---- calls

class KubeHttp::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Access access, KubeHttpOptions options, io::Executor& executor, std::uint64_t seed)
      : options_(std::move(options)),
        executor_(executor),
        random_(seed),
        credentials_(std::move(access), options_.reread_every) {}

  void start() {
    for (std::size_t i = 0; i < options_.threads; ++i) {
      connections_.push_back(
          std::make_unique<Connection>(credentials_, options_, options_.call_timeout));
      threads_.emplace_back([this, i] { work(*connections_[i]); });
    }
  }
  void add(ApiCall call, Reply reply);
  std::unique_ptr<Watch> watch(const WatchRequest& request, WatchHandler handler);
  void stop();

  KubeHttpStats stats;
  std::atomic<std::int64_t> last_answer{0};

 private:
  struct Item {
    ApiCall call;
    Reply reply;
  };
  void work(Connection& connection);
  ApiResult<Json> perform(Connection& connection, const ApiCall& call);
  bool pause(milliseconds span);

  const KubeHttpOptions options_;
  io::Executor& executor_;
  base::Random random_;
  Credentials credentials_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable wake_;   // there is a call, or the end
  std::condition_variable ended_;  // a stream, or everything
  std::deque<Item> queue_;
  bool stopping_ = false;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::size_t streams_running_ = 0;
};

void KubeHttp::Core::add(ApiCall call, Reply reply) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue_.push_back({std::move(call), std::move(reply)});
  wake_.notify_one();
}

void KubeHttp::Core::work(Connection& connection) {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    auto result = perform(connection, item.call);
    executor_.post([reply = std::move(item.reply), result = std::move(result)]() mutable {
      reply(std::move(result));
    });
  }
}

// False when everything ends meanwhile.
bool KubeHttp::Core::pause(milliseconds span) {
  std::unique_lock lock(mutex_);
  return !ended_.wait_for(lock, span, [this] { return stopping_; });
}

ApiResult<Json> KubeHttp::Core::perform(Connection& connection, const ApiCall& call) {
  const HttpForm form = form_of(call);
  bool reread = false;
  bool repeated = false;
  for (int throttled = 0;;) {
    ++stats.calls;
    if (is_write(call.verb) && call.kind != &kLeases) ++stats.writes;
    bool reused = false;
    auto answer = connection.exchange(form, reused);
    if (!answer) {
      if (reused && !is_write(call.verb) && !std::exchange(repeated, true)) continue;
      ++stats.failures;
      return std::unexpected(ApiError{0, "", answer.error()});
    }
    last_answer = std::chrono::duration_cast<std::chrono::seconds>(
                      std::chrono::steady_clock::now().time_since_epoch())
                      .count();
    if (answer->status == 401 && !std::exchange(reread, true)) {
      credentials_.reread();
      continue;
    }
    const bool told_to_wait =
        answer->status == 429 || (answer->status == 503 && !answer->retry_after.empty());
    if (told_to_wait && throttled < kThrottledMax) {
      ++throttled;
      ++stats.throttled;
      if (pause(wait_of(answer->retry_after, options_.throttle_wait_max))) continue;
    }
    if (answer->status >= 500) ++stats.failures;
    if (answer->status < 200 || answer->status >= 300) {
      return std::unexpected(error_of(answer->status, answer->body));
    }
    if (auto object = parse_object(answer->body)) return std::move(*object);
    return std::unexpected(ApiError{0, "", form.target + ": the answer is no JSON object"});
  }
}

std::unique_ptr<Watch> KubeHttp::Core::watch(const WatchRequest& request, WatchHandler handler) {
  const std::chrono::seconds timeout(
      random_.between(options_.watch_min.count(), options_.watch_max.count() + 1));
  const std::string target = watch_target(request, timeout);
  auto stream = std::make_shared<Stream>(credentials_, options_, executor_, std::move(handler));
  std::lock_guard lock(mutex_);
  if (!stopping_) {
    ++stats.watches_opened;
    std::erase_if(streams_, [](const auto& each) { return each.expired(); });
    streams_.push_back(stream);
    ++streams_running_;
    // It holds this object: its credentials are used to the end.
    std::thread([self = shared_from_this(), stream, target] {
      stream->run(target);
      std::lock_guard inner(self->mutex_);
      --self->streams_running_;
      self->ended_.notify_all();
    }).detach();
  }
  return std::make_unique<Held<Stream>>(std::move(stream));
}

void KubeHttp::Core::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (const auto& each : streams_) {
      if (const auto stream = each.lock()) stream->stop();
    }
    wake_.notify_all();
    ended_.notify_all();
  }
  for (const auto& each : connections_) each->stop();
  for (auto& thread : threads_) thread.join();
  std::unique_lock lock(mutex_);
  // One that is still connecting notices when that is over.
  ended_.wait_for(lock, options_.connect_timeout + milliseconds(1'000),
                  [this] { return streams_running_ == 0; });
  queue_.clear();
}

KubeHttp::KubeHttp(Access access, KubeHttpOptions options, io::Executor& executor,
                   std::uint64_t seed)
    : core_(std::make_shared<Core>(std::move(access), std::move(options), executor, seed)) {
  core_->start();
}
KubeHttp::~KubeHttp() { core_->stop(); }
void KubeHttp::call(ApiCall call, Reply reply) { core_->add(std::move(call), std::move(reply)); }
std::unique_ptr<Watch> KubeHttp::watch(WatchRequest request, WatchHandler handler) {
  return core_->watch(request, std::move(handler));
}
void KubeHttp::stop() { core_->stop(); }
const KubeHttpStats& KubeHttp::stats() const { return core_->stats; }
std::int64_t KubeHttp::last_answer() const { return core_->last_answer; }

}  // namespace kube
