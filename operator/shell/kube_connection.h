// One HTTP connection to the API server, and the credentials that all of them share. Of kube_http
// only.
#pragma once

#include <httplib.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "common/host/descriptor.h"
#include "operator/shell/access.h"
#include "operator/shell/kube_http.h"

namespace kube {

// What proves who we are, read again when it is due. Any thread.
class KubeHttp::Credentials {
 public:
  Credentials(Access access, std::chrono::milliseconds reread_every);

  struct View {
    std::string token;
    std::string ca_pem;
    std::uint64_t ca_generation = 0;  // grows when the CA became another
  };
  View view();
  void reread();
  const Access& access() const { return access_; }

 private:
  void reread_locked();

  const Access access_;
  const std::chrono::milliseconds every_;
  std::mutex mutex_;
  View view_;
  std::chrono::steady_clock::time_point read_at_;
};

// Used by one thread at a time; stop() by any.
class KubeHttp::Connection {
 public:
  Connection(Credentials& credentials, const KubeHttpOptions& options,
             std::chrono::milliseconds read_timeout);

  struct Answer {
    int status = 0;
    std::string body;
    std::string retry_after;
  };
  // The whole answer, or why there is none. `reused` says that the connection had been used before.
  std::expected<Answer, std::string> exchange(const HttpForm& form, bool& reused);
  // As it comes: `head` is given the status, `piece` the bytes; either ends it by false. The text
  // says why it ended, empty when the server ended it in order.
  std::string stream(const std::string& target, std::function<bool(int status)> head,
                     std::function<bool(const char* bytes, std::size_t size)> piece);
  // Cuts it off; what is under way fails soon.
  void stop();

 private:
  httplib::ClientImpl* ready();
  std::unique_ptr<httplib::ClientImpl> build(const Credentials::View& view);
  httplib::Request request_of(const HttpForm& form) const;
  std::string explain(httplib::Error error) const;

  Credentials& credentials_;
  const KubeHttpOptions& options_;
  const std::chrono::milliseconds read_timeout_;
  std::string token_;
  std::uint64_t ca_generation_ = 0;
  host::Descriptor ca_;  // a file in memory: httplib reads certificates from files only
  std::mutex mutex_;
  std::unique_ptr<httplib::ClientImpl> client_;
  bool stopped_ = false;
  bool used_ = false;
};

}  // namespace kube
