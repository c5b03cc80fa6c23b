// How the API server is reached and who we are there: from a Pod's service account, or from a
// kubeconfig. Texts in, values out; only read_access() looks at files and the environment.
//
// Of a kubeconfig: clusters (server, certificate-authority[-data], insecure-skip-tls-verify,
// tls-server-name), users (token, tokenFile, client-certificate[-data], client-key[-data]),
// contexts. `exec` and `auth-provider` are refused by name: they would run programs of others.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kube {

struct Access {
  std::string host;  // a name or a number, without brackets
  std::uint16_t port = 443;
  bool tls = true;
  std::string prefix;           // of every path; empty or "/k8s/clusters/1"
  std::string tls_server_name;  // what the certificate is for; empty: host
  bool verify = true;
  std::string ca_pem;   // empty: the system's
  std::string ca_file;  // read again now and then, when given
  std::string token;
  std::string token_file;  // wins over token; read again now and then
  std::string certificate_pem;
  std::string key_pem;
  std::string ns = "default";  // that of the context or of the Pod

  std::string to_string() const;  // for people: no secrets
};

// Reads a file; nothing when it cannot.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;
using ReadVariable = std::function<std::string(const char* name)>;

// `directory`: where the kubeconfig stands; relative paths in it are from there. `context`: empty
// means current-context.
std::expected<Access, std::string> access_from_kubeconfig(const std::string& yaml,
                                                          const std::string& directory,
                                                          const std::string& context,
                                                          const ReadFile& read);
std::expected<Access, std::string> access_in_cluster(const ReadVariable& variable,
                                                     const ReadFile& read);

// --kubeconfig, else the Pod's account when there is one, else $KUBECONFIG, else ~/.kube/config.
std::expected<Access, std::string> read_access(const std::string& kubeconfig,
                                               const std::string& context);

std::optional<std::string> read_file(const std::string& path);

}  // namespace kube
