// moldau-operator: takes its configuration together and runs; or prints the resources' definitions.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/host/console_diag.h"
#include "common/host/crash_report.h"
#include "common/host/signals.h"
#include "operator/shell/operator_process.h"
#include "operator/types/crd.h"

// Some twenty threads of which one works: one arena serves them, none keeps a stock of its own, and
// what is free goes back soon.
extern "C" {
const char* malloc_conf = "narenas:1,tcache:false,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace {

constexpr int kExitBadConfig = 2;

int refuse(const std::string& why) {
  std::fprintf(stderr, "moldau-operator: %s\n", why.c_str());
  return kExitBadConfig;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

struct Flags {
  std::string kubeconfig;
  std::string context;
  std::vector<std::string> namespaces;
  std::string image = variable("MOLDAU_IMAGE");
  std::string http_host = "0.0.0.0";
  std::uint16_t http_port = 9644;
  bool no_lease = false;
  std::string lease_namespace = variable("POD_NAMESPACE");
  std::string identity = variable("POD_NAME");
  std::vector<std::string> controllers;
  std::string level = "info";
  std::string format;
};

void add_flags(CLI::App& app, Flags& flags) {
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "How to reach the API server (default: the Pod's account, else $KUBECONFIG, else "
                 "~/.kube/config)")
      ->type_name("FILE");
  app.add_option("--context", flags.context, "Of the kubeconfig (default: its current one)");
  app.add_option("--namespace", flags.namespaces,
                 "Where to look for resources, a,b (default: everywhere)")
      ->delimiter(',')
      ->envname("MOLDAU_NAMESPACES");
  app.add_option("--image", flags.image,
                 "Image of brokers and controllers whose Cluster names none ($MOLDAU_IMAGE)");
  app.add_option("--http-host", flags.http_host, "Where to serve HTTP (default 0.0.0.0)");
  app.add_option("--http-port", flags.http_port,
                 "Port of /livez, /readyz and /metrics (default 9644)");
  app.add_flag("--no-lease", flags.no_lease, "Act without asking whether another operator does");
  app.add_option("--lease-namespace", flags.lease_namespace,
                 "Of the Lease moldau-operator (default: $POD_NAMESPACE, else the context's)");
  app.add_option("--identity", flags.identity,
                 "Name of this operator in the Lease (default: $POD_NAME, else host and process)");
  app.add_option("--controllers", flags.controllers,
                 "Where the controllers of a cluster answer, when their Pods cannot be reached: "
                 "NAMESPACE/CLUSTER=HOST:PORT[,HOST:PORT...]; may be given again")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--log-level", flags.level, "What is worth a line (default info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--log-format", flags.format,
                 "How lines look (default: text on a terminal, else json)")
      ->check(CLI::IsMember({"text", "json"}));
}

bool parse_controllers(const std::string& text, kube::ProcessOptions& options) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || text.find('/') > equals) return false;
  auto& addresses = options.controllers[text.substr(0, equals)];
  for (std::size_t at = equals + 1; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, end - at);
    const std::size_t colon = one.rfind(':');
    if (colon == std::string::npos || colon == 0) return false;
    const auto port = std::strtoul(one.c_str() + colon + 1, nullptr, 10);
    if (port == 0 || port > 65535) return false;
    addresses.push_back({one.substr(0, colon), static_cast<std::uint16_t>(port)});
    at = end + 1;
  }
  return !addresses.empty();
}

std::string own_name() {
  char host[256] = "operator";
  gethostname(host, sizeof host - 1);
  return std::string(host) + "_" + std::to_string(getpid());
}

int run(const Flags& flags) {
  auto access = kube::read_access(flags.kubeconfig, flags.context);
  if (!access) return refuse(access.error());
  kube::ProcessOptions options;
  options.lease_namespace = flags.lease_namespace.empty() ? access->ns : flags.lease_namespace;
  options.access = std::move(*access);
  for (const std::string& each : flags.namespaces) {
    if (!each.empty()) options.namespaces.push_back(each);
  }
  options.image = flags.image;
  options.http = {flags.http_host, flags.http_port};
  options.elect = !flags.no_lease;
  options.identity = flags.identity.empty() ? own_name() : flags.identity;
  options.user_agent = "moldau-operator/" MOLDAU_VERSION;
  for (const std::string& each : flags.controllers) {
    if (!parse_controllers(each, options)) return refuse("--controllers " + each);
  }
  host::report_crashes("moldau-operator");
  host::block_signals();
  host::SystemClock clock;
  host::ConsoleDiag::Options console;
  console.level = *host::ConsoleDiag::parse_level(flags.level);
  if (flags.format == "text") console.format = host::ConsoleDiag::Format::kText;
  if (flags.format == "json") console.format = host::ConsoleDiag::Format::kJson;
  host::ConsoleDiag diag(clock, console);
  return kube::run_operator(std::move(options), diag, clock);
}

int print_crds() {
  for (const auto& file : kube::crd_files()) std::printf("---\n%s", file.text.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Brings Moldau clusters and topics on Kubernetes to what is wanted",
               "moldau-operator");
  Flags flags;
  add_flags(app, flags);
  app.require_subcommand(0, 1);
  const auto* crd = app.add_subcommand("crd", "Print the CustomResourceDefinitions");
  const auto* version = app.add_subcommand("version", "Print the version");
  CLI11_PARSE(app, argc, argv);
  if (crd->parsed()) return print_crds();
  if (version->parsed()) {
    std::printf("moldau-operator %s\n", MOLDAU_VERSION);
    return 0;
  }
  return run(flags);
}
