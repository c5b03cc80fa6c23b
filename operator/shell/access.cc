#include "operator/shell/access.h"

#include <openssl/evp.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kube {
namespace {

constexpr const char* kAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";
constexpr std::size_t kFileBytesMax = 1 << 20;

std::unexpected<std::string> wrong(std::string what) { return std::unexpected(std::move(what)); }

std::optional<std::string> decode_base64(const std::string& text) {
  std::string clean;
  for (const char c : text) {
    if (c != '\n' && c != '\r' && c != ' ') clean += c;
  }
  if (clean.size() % 4 != 0 || clean.size() > kFileBytesMax) return std::nullopt;
  std::string out(clean.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(clean.data()),
                                   static_cast<int>(clean.size()));
  if (size < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::ranges::count(clean, '='));
  if (padding > 2) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

// https://host[:port][/prefix]
std::expected<void, std::string> set_server(Access& access, const std::string& url) {
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    access.tls = false;
    access.port = 80;
  } else {
    return wrong("server '" + url + "': neither http:// nor https://");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  access.prefix = rest.substr(slash);
  while (access.prefix.ends_with('/')) access.prefix.pop_back();
  std::string_view authority = rest.substr(0, slash);
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return wrong("server '" + url + "': ] is missing");
    port = authority.substr(end + 1);
    authority = authority.substr(1, end - 1);
  } else if (const std::size_t colon = authority.rfind(':'); colon != std::string_view::npos) {
    port = authority.substr(colon);
    authority = authority.substr(0, colon);
  }
  access.host = authority;
  if (access.host.empty()) return wrong("server '" + url + "' names no host");
  if (port.empty()) return {};
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
  if (port[0] != ':' || error != std::errc() || end != port.data() + port.size() || number == 0 ||
      number > 65535) {
    return wrong("server '" + url + "': the port is none");
  }
  access.port = static_cast<std::uint16_t>(number);
  return {};
}

std::string text(const YAML::Node& node, const char* key) {
  const YAML::Node value = node.IsMap() ? node[key] : YAML::Node();
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// The entry of that name in one of the lists (clusters, users, contexts).
YAML::Node named(const YAML::Node& root, const char* list, const char* inside,
                 const std::string& name) {
  const YAML::Node all = root[list];
  if (!all || !all.IsSequence()) return YAML::Node(YAML::NodeType::Undefined);
  for (const YAML::Node& each : all) {
    if (text(each, "name") == name && each[inside] && each[inside].IsMap()) return each[inside];
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

class Reader {
 public:
  Reader(const std::string& directory, const ReadFile& read) : directory_(directory), read_(read) {}

  std::string path(const std::string& given) const {
    if (given.empty() || given.starts_with('/') || directory_.empty()) return given;
    return directory_ + "/" + given;
  }
  // `key` names a file, `key`-data is the content itself, and wins.
  std::expected<std::string, std::string> content(const YAML::Node& node,
                                                  const std::string& key) const {
    if (const std::string data = text(node, (key + "-data").c_str()); !data.empty()) {
      auto decoded = decode_base64(data);
      if (!decoded) return wrong(key + "-data is not base64");
      return *decoded;
    }
    const std::string file = path(text(node, key.c_str()));
    if (file.empty()) return std::string();
    auto read = read_(file);
    if (!read) return wrong(key + ": " + file + " cannot be read");
    return *read;
  }

 private:
  const std::string& directory_;
  const ReadFile& read_;
};

std::expected<void, std::string> take_cluster(Access& access, const YAML::Node& node,
                                              const Reader& reader) {
  if (auto set = set_server(access, text(node, "server")); !set) return set;
  access.tls_server_name = text(node, "tls-server-name");
  access.verify = text(node, "insecure-skip-tls-verify") != "true";
  auto ca = reader.content(node, "certificate-authority");
  if (!ca) return wrong(ca.error());
  access.ca_pem = std::move(*ca);
  if (text(node, "certificate-authority-data").empty()) {
    access.ca_file = reader.path(text(node, "certificate-authority"));
  }
  if (!text(node, "proxy-url").empty()) return wrong("proxy-url is not supported");
  return {};
}

std::expected<void, std::string> take_user(Access& access, const YAML::Node& node,
                                           const Reader& reader) {
  for (const char* key : {"exec", "auth-provider", "username"}) {
    if (node[key]) {
      return wrong(std::string("a user with '") + key +
                   "' is not supported: use a token or a client certificate");
    }
  }
  access.token = text(node, "token");
  access.token_file = reader.path(text(node, "tokenFile"));
  auto certificate = reader.content(node, "client-certificate");
  if (!certificate) return wrong(certificate.error());
  auto key = reader.content(node, "client-key");
  if (!key) return wrong(key.error());
  access.certificate_pem = std::move(*certificate);
  access.key_pem = std::move(*key);
  if (access.certificate_pem.empty() != access.key_pem.empty()) {
    return wrong("client-certificate and client-key go together");
  }
  return {};
}

}  // namespace

std::string Access::to_string() const {
  const bool bare_six = host.find(':') != std::string::npos;
  return (tls ? "https://" : "http://") + (bare_six ? "[" + host + "]" : host) + ":" +
         std::to_string(port) + prefix;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string content;
  char buffer[4096];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    content.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (content.size() > kFileBytesMax) return std::nullopt;
  }
  return content;
}

std::expected<Access, std::string> access_from_kubeconfig(const std::string& yaml,
                                                          const std::string& directory,
                                                          const std::string& context,
                                                          const ReadFile& read) {
  YAML::Node root;
  try {
    root = YAML::Load(yaml);
    if (!root.IsMap()) return wrong("it is no map");
    const std::string chosen = context.empty() ? text(root, "current-context") : context;
    if (chosen.empty()) return wrong("there is no current-context");
    const YAML::Node where = named(root, "contexts", "context", chosen);
    if (!where) return wrong("there is no context '" + chosen + "'");
    const YAML::Node cluster = named(root, "clusters", "cluster", text(where, "cluster"));
    if (!cluster) return wrong("there is no cluster '" + text(where, "cluster") + "'");
    Access access;
    const Reader reader(directory, read);
    if (auto taken = take_cluster(access, cluster, reader); !taken) return wrong(taken.error());
    if (const std::string user = text(where, "user"); !user.empty()) {
      const YAML::Node node = named(root, "users", "user", user);
      if (!node) return wrong("there is no user '" + user + "'");
      if (auto taken = take_user(access, node, reader); !taken) return wrong(taken.error());
    }
    if (const std::string ns = text(where, "namespace"); !ns.empty()) access.ns = ns;
    return access;
  } catch (const YAML::Exception& error) {
    return wrong(error.what());
  }
}

std::expected<Access, std::string> access_in_cluster(const ReadVariable& variable,
                                                     const ReadFile& read) {
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  std::string port = variable("KUBERNETES_SERVICE_PORT");
  if (host.empty()) return wrong("KUBERNETES_SERVICE_HOST is not set: not in a Pod");
  if (port.empty()) port = "443";
  Access access;
  const bool bare_six = host.find(':') != std::string::npos && !host.starts_with('[');
  const std::string shown = bare_six ? "[" + host + "]" : host;
  if (auto set = set_server(access, "https://" + shown + ":" + port); !set) {
    return wrong(set.error());
  }
  const std::string account = kAccount;
  access.token_file = account + "token";
  access.ca_file = account + "ca.crt";
  const auto token = read(access.token_file);
  if (!token) return wrong(access.token_file + " cannot be read: the Pod has no account's token");
  const auto ca = read(access.ca_file);
  if (!ca) return wrong(access.ca_file + " cannot be read");
  access.ca_pem = *ca;
  if (const auto ns = read(account + "namespace")) access.ns = *ns;
  return access;
}

std::expected<Access, std::string> read_access(const std::string& kubeconfig,
                                               const std::string& context) {
  const ReadVariable variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  std::string file = kubeconfig;
  if (file.empty() && !variable("KUBERNETES_SERVICE_HOST").empty()) {
    return access_in_cluster(variable, read_file);
  }
  if (file.empty()) file = variable("KUBECONFIG");
  if (file.empty()) file = variable("HOME") + "/.kube/config";
  const auto yaml = read_file(file);
  if (!yaml) return wrong("kubeconfig " + file + " cannot be read");
  const std::string directory = std::filesystem::absolute(file).parent_path().string();
  auto access = access_from_kubeconfig(*yaml, directory, context, read_file);
  if (!access) return wrong("kubeconfig " + file + ": " + access.error());
  return access;
}

}  // namespace kube
