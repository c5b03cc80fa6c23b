#include "operator/shell/kube_connection.h"

#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace kube {
namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

template <class T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* value) const { kFree(value); }
};
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio bio_of(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::unique_ptr<httplib::SSLClient> tls_client(const std::string& host, int port,
                                               const Access& access) {
  if (access.certificate_pem.empty()) return std::make_unique<httplib::SSLClient>(host, port);
  const Bio certificates = bio_of(access.certificate_pem);
  const Certificate own(PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr));
  const Bio keys = bio_of(access.key_pem);
  const PrivateKey key(PEM_read_bio_PrivateKey(keys.get(), nullptr, nullptr, nullptr));
  auto client = std::make_unique<httplib::SSLClient>(host, port, own.get(), key.get());
  // Those that signed it, if there are any.
  while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    const Certificate held(next);
    if (client->ssl_context()) SSL_CTX_add1_chain_cert(client->ssl_context(), next);
  }
  return client;
}

// httplib connects to a name other than the certificate's only by number.
std::string number_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return "";
  char text[NI_MAXHOST] = "";
  getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  return text;
}

host::Descriptor file_in_memory(const std::string& content) {
  host::Descriptor file(memfd_create("ca", MFD_CLOEXEC));
  if (!file.is_open() ||
      write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return host::Descriptor();
  }
  return file;
}

}  // namespace

// ---- credentials

KubeHttp::Credentials::Credentials(Access access, std::chrono::milliseconds reread_every)
    : access_(std::move(access)), every_(reread_every) {
  view_.token = access_.token;
  view_.ca_pem = access_.ca_pem;
  std::lock_guard lock(mutex_);
  reread_locked();
}

void KubeHttp::Credentials::reread_locked() {
  read_at_ = std::chrono::steady_clock::now();
  // What cannot be read now is kept: kubelet replaces these files while they are used.
  if (!access_.token_file.empty()) {
    if (auto token = read_file(access_.token_file); token && !trimmed(*token).empty()) {
      view_.token = trimmed(std::move(*token));
    }
  }
  if (access_.ca_file.empty()) return;
  auto ca = read_file(access_.ca_file);
  if (!ca || ca->empty() || *ca == view_.ca_pem) return;
  view_.ca_pem = std::move(*ca);
  ++view_.ca_generation;
}

KubeHttp::Credentials::View KubeHttp::Credentials::view() {
  std::lock_guard lock(mutex_);
  if (std::chrono::steady_clock::now() - read_at_ >= every_) reread_locked();
  return view_;
}

void KubeHttp::Credentials::reread() {
  std::lock_guard lock(mutex_);
  reread_locked();
}

// ---- connection

KubeHttp::Connection::Connection(Credentials& credentials, const KubeHttpOptions& options,
                                 std::chrono::milliseconds read_timeout)
    : credentials_(credentials), options_(options), read_timeout_(read_timeout) {}

std::unique_ptr<httplib::ClientImpl> KubeHttp::Connection::build(const Credentials::View& view) {
  const Access& access = credentials_.access();
  const std::string name = access.tls_server_name.empty() ? access.host : access.tls_server_name;
  std::unique_ptr<httplib::ClientImpl> client;
  if (access.tls) {
    auto secure = tls_client(name, access.port, access);
    if (!secure->is_valid()) return nullptr;
    if (!view.ca_pem.empty()) {
      // A path keeps httplib from trusting the system's authorities as well.
      ca_ = file_in_memory(view.ca_pem);
      secure->set_ca_cert_path("/proc/self/fd/" + std::to_string(ca_.get()));
    }
    secure->enable_server_certificate_verification(access.verify);
    client = std::move(secure);
  } else {
    client = std::make_unique<httplib::ClientImpl>(name, access.port);
  }
  if (name != access.host) client->set_hostname_addr_map({{name, number_of(access.host)}});
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  client->set_url_encode(false);
  client->set_connection_timeout(options_.connect_timeout);
  client->set_read_timeout(read_timeout_);
  client->set_write_timeout(options_.call_timeout);
  client->set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  });
  return client;
}

httplib::ClientImpl* KubeHttp::Connection::ready() {
  const auto view = credentials_.view();
  token_ = view.token;
  if (client_ && ca_generation_ == view.ca_generation) return client_.get();
  auto fresh = build(view);
  ca_generation_ = view.ca_generation;
  used_ = false;
  std::lock_guard lock(mutex_);
  client_ = std::move(fresh);
  return stopped_ ? nullptr : client_.get();
}

void KubeHttp::Connection::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (client_) client_->stop();
}

httplib::Request KubeHttp::Connection::request_of(const HttpForm& form) const {
  httplib::Request request;
  request.method = form.method;
  request.path = credentials_.access().prefix + form.target;
  request.body = form.body;
  request.set_header("Accept", "application/json");
  request.set_header("Accept-Encoding", "identity");
  request.set_header("User-Agent", options_.user_agent);
  if (!token_.empty()) request.set_header("Authorization", "Bearer " + token_);
  if (!form.content_type.empty()) request.set_header("Content-Type", form.content_type);
  return request;
}

std::string KubeHttp::Connection::explain(httplib::Error error) const {
  const std::string where = credentials_.access().to_string();
  switch (error) {
    case httplib::Error::SSLServerVerification:
      return where +
             ": its certificate is not signed by the CA we were given, or not for this name";
    case httplib::Error::SSLConnection:
      return where + ": TLS cannot be agreed on";
    case httplib::Error::SSLLoadingCerts:
      return where + ": the CA we were given is no certificate";
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
      return where + ": cannot connect";
    case httplib::Error::Read:
      return where + ": the connection ended before the answer did";
    default:
      return where + ": " + httplib::to_string(error);
  }
}

std::expected<KubeHttp::Connection::Answer, std::string> KubeHttp::Connection::exchange(
    const HttpForm& form, bool& reused) {
  httplib::ClientImpl* const client = ready();
  if (!client) return std::unexpected("the client certificate or its key cannot be used");
  reused = std::exchange(used_, true);
  Answer answer;
  bool too_long = false;
  httplib::Request request = request_of(form);
  request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t,
                                 std::uint64_t) {
    too_long = answer.body.size() + size > options_.answer_bytes_max;
    if (!too_long) answer.body.append(bytes, size);
    return !too_long;
  };
  httplib::Response response;
  auto error = httplib::Error::Success;
  const bool good = client->send(request, response, error);
  if (too_long) return std::unexpected("the answer is longer than we take");
  if (!good) return std::unexpected(explain(error));
  answer.status = response.status;
  answer.retry_after = response.get_header_value("Retry-After");
  return answer;
}

std::string KubeHttp::Connection::stream(const std::string& target, std::function<bool(int)> head,
                                         std::function<bool(const char*, std::size_t)> piece) {
  httplib::ClientImpl* const client = ready();
  if (!client) return "the client certificate or its key cannot be used, or it was stopped";
  httplib::Request request = request_of({"GET", target, "", ""});
  request.response_handler = [&](const httplib::Response& response) {
    return head(response.status);
  };
  request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t,
                                 std::uint64_t) { return piece(bytes, size); };
  httplib::Response response;
  auto error = httplib::Error::Success;
  return client->send(request, response, error) ? "" : explain(error);
}

}  // namespace kube
