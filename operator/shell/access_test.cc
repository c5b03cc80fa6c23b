#include "operator/shell/access.h"

#include <gtest/gtest.h>

#include <map>

namespace kube {
namespace {

using Files = std::map<std::string, std::string>;

ReadFile reader(const Files& files) {
  return [files](const std::string& path) -> std::optional<std::string> {
    const auto at = files.find(path);
    if (at == files.end()) return std::nullopt;
    return at->second;
  };
}

// A kubeconfig whose cluster and user have these lines.
std::string config(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
         "contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: apps}\n"
         "- name: other\n  context: {cluster: gone, user: u}\n"
         "clusters:\n- name: c\n  cluster:\n" +
         cluster + "users:\n- name: u\n  user:\n" + user;
}

std::expected<Access, std::string> read(const std::string& yaml, const Files& files = {},
                                        const std::string& context = "") {
  return access_from_kubeconfig(yaml, "/etc", context, reader(files));
}

// Goal: what is inline is decoded, what is a path is read from where the kubeconfig stands.
TEST(Access, ReadsKubeconfig) {
  const auto inlined = read(
      config("    server: https://api.example:6443/k8s/\n    certificate-authority-data: Q0EK\n"
             "    tls-server-name: kubernetes\n",
             "    token: secret\n"));
  ASSERT_TRUE(inlined.has_value()) << inlined.error();
  EXPECT_EQ(inlined->host, "api.example");
  EXPECT_EQ(inlined->port, 6443);
  EXPECT_EQ(inlined->prefix, "/k8s");
  EXPECT_EQ(inlined->ca_pem, "CA\n");
  EXPECT_EQ(inlined->tls_server_name, "kubernetes");
  EXPECT_EQ(inlined->token, "secret");
  EXPECT_EQ(inlined->ns, "apps");
  EXPECT_TRUE(inlined->tls && inlined->verify);
  EXPECT_EQ(inlined->to_string().find("secret"), std::string::npos);

  const auto files = read(config("    server: https://[fd00::1]:6443\n"
                                 "    certificate-authority: pki/ca.crt\n",
                                 "    client-certificate: /c.crt\n    client-key: k.pem\n"),
                          {{"/etc/pki/ca.crt", "ca"}, {"/c.crt", "cert"}, {"/etc/k.pem", "key"}});
  ASSERT_TRUE(files.has_value()) << files.error();
  EXPECT_EQ(files->host, "fd00::1");
  EXPECT_EQ(files->ca_pem, "ca");
  EXPECT_EQ(files->ca_file, "/etc/pki/ca.crt");
  EXPECT_EQ(files->certificate_pem, "cert");
  EXPECT_EQ(files->key_pem, "key");
  EXPECT_EQ(files->to_string(), "https://[fd00::1]:6443");
}

// Goal: whatever is wrong is named.
TEST(Access, SaysWhatIsWrong) {
  const std::string good = "    server: https://a\n";
  const auto error = [](const std::string& yaml, const std::string& context = "") {
    const auto access = read(yaml, {}, context);
    return access ? std::string("none") : access.error();
  };
  EXPECT_NE(error("[").find("line"), std::string::npos);
  EXPECT_EQ(error("- a"), "it is no map");
  EXPECT_EQ(error("{}"), "there is no current-context");
  EXPECT_EQ(error(config(good, "    token: a\n"), "nowhere"), "there is no context 'nowhere'");
  EXPECT_EQ(error(config(good, "    token: a\n"), "other"), "there is no cluster 'gone'");
  EXPECT_NE(error(config("    server: a:1\n", "    token: a\n")).find("neither http"),
            std::string::npos);
  for (const char* server : {"https://", "https://a:0", "https://a:70000", "https://a:x",
                             "https://[::1", "https://a:"}) {
    EXPECT_NE(error(config("    server: '" + std::string(server) + "'\n", "    token: a\n")),
              "none")
        << server;
  }
  EXPECT_NE(error(config(good + "    certificate-authority-data: '*'\n", "    token: a\n"))
                .find("not base64"),
            std::string::npos);
  EXPECT_NE(error(config(good + "    certificate-authority: no.crt\n", "    token: a\n"))
                .find("/etc/no.crt cannot be read"),
            std::string::npos);
  EXPECT_NE(error(config(good, "    exec: {command: aws}\n")).find("'exec' is not supported"),
            std::string::npos);
  EXPECT_NE(error(config(good, "    client-certificate-data: QQ==\n")).find("go together"),
            std::string::npos);
}

// Goal: in a Pod the account's files are used, over IPv6 too; what is missing is named.
TEST(Access, InCluster) {
  const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount/";
  std::map<std::string, std::string> variables = {{"KUBERNETES_SERVICE_HOST", "fd00::1"},
                                                  {"KUBERNETES_SERVICE_PORT", "6443"}};
  const ReadVariable variable = [&](const char* name) { return variables[name]; };
  Files files = {
      {account + "token", "t"}, {account + "ca.crt", "ca"}, {account + "namespace", "n"}};
  const auto access = access_in_cluster(variable, reader(files));
  ASSERT_TRUE(access.has_value()) << access.error();
  EXPECT_EQ(access->to_string(), "https://[fd00::1]:6443");
  EXPECT_EQ(access->token_file, account + "token");
  EXPECT_EQ(access->ca_pem, "ca");
  EXPECT_EQ(access->ns, "n");
  files.erase(account + "token");
  EXPECT_NE(access_in_cluster(variable, reader(files)).error().find("token"), std::string::npos);
  variables.clear();
  EXPECT_NE(access_in_cluster(variable, reader(files)).error().find("not in a Pod"),
            std::string::npos);
}

}  // namespace
}  // namespace kube
