// Paths, queries and bodies of the Kubernetes API.
#include "operator/plan/action.h"
#include "operator/shell/kube_http.h"

namespace kube {
namespace {

constexpr std::size_t kMessageMax = 1024;

std::string path_of(const Kind& kind, const std::string& ns) {
  std::string path = kind.group.empty()
                         ? "/api/" + std::string(kind.version)
                         : "/apis/" + std::string(kind.group) + "/" + std::string(kind.version);
  if (kind.namespaced && !ns.empty()) path += "/namespaces/" + escape(ns);
  return path + "/" + std::string(kind.plural);
}

class Query {
 public:
  void add(std::string_view key, std::string_view value) {
    text_ += (text_.empty() ? "?" : "&") + std::string(key) + "=" + escape(value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void form_list(const ApiCall& call, HttpForm& form) {
  Query query;
  if (!call.label_selector.empty()) query.add("labelSelector", call.label_selector);
  if (call.limit > 0) query.add("limit", std::to_string(call.limit));
  if (!call.continue_token.empty()) query.add("continue", call.continue_token);
  form.method = "GET";
  form.target += query.text();
}

void form_delete(const ApiCall& call, HttpForm& form) {
  form.method = "DELETE";
  form.content_type = "application/json";
  Json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!call.uid.empty()) options["preconditions"]["uid"] = call.uid;
  if (!call.resource_version.empty()) {
    options["preconditions"]["resourceVersion"] = call.resource_version;
  }
  form.body = options.dump();
}

}  // namespace

std::string escape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[u >> 4];
      out += kHex[u & 15];
    }
  }
  return out;
}

HttpForm form_of(const ApiCall& call) {
  HttpForm form;
  form.target = path_of(*call.kind, call.ns);
  if (!call.name.empty()) form.target += "/" + escape(call.name);
  if (!call.subresource.empty()) form.target += "/" + call.subresource;
  const auto body = [&](const char* method, const char* type) {
    form.method = method;
    form.content_type = type;
    // What is no UTF-8 comes from outside: it is replaced rather than thrown about.
    form.body = call.body.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  switch (call.verb) {
    case Verb::kGet:
      form.method = "GET";
      break;
    case Verb::kList:
      form_list(call, form);
      break;
    case Verb::kCreate:
      body("POST", "application/json");
      break;
    case Verb::kApply:
      body("PATCH", "application/apply-patch+yaml");
      form.target += std::string("?fieldManager=") + kFieldManager + "&force=true";
      break;
    case Verb::kMergePatch:
      body("PATCH", "application/merge-patch+json");
      form.target += std::string("?fieldManager=") + kFieldManager;
      break;
    case Verb::kReplace:
      body("PUT", "application/json");
      form.target += std::string("?fieldManager=") + kFieldManager;
      break;
    case Verb::kDelete:
      form_delete(call, form);
      break;
  }
  return form;
}

std::string watch_target(const WatchRequest& request, std::chrono::seconds timeout) {
  Query query;
  query.add("watch", "true");
  query.add("allowWatchBookmarks", "true");
  query.add("resourceVersion", request.resource_version);
  query.add("timeoutSeconds", std::to_string(timeout.count()));
  if (!request.label_selector.empty()) query.add("labelSelector", request.label_selector);
  return path_of(*request.kind, request.ns) + query.text();
}

std::optional<Json> parse_object(std::string_view text) {
  // Large, and of no use here: who owns which field, and what kubectl applied last.
  const auto keep = [](int, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::key ||
           (parsed != "managedFields" &&
            parsed != "kubectl.kubernetes.io/last-applied-configuration");
  };
  Json out = Json::parse(text, keep, false);
  if (!out.is_object()) return std::nullopt;
  return out;
}

ApiError error_of_status(const Json& object) {
  ApiError error;
  error.status = static_cast<int>(number_at(object, {"code"}));
  error.reason = text_at(object, {"reason"});
  error.message = text_at(object, {"message"});
  return error;
}

ApiError error_of(int status, std::string_view body) {
  ApiError error;
  if (const auto object = parse_object(body)) error = error_of_status(*object);
  error.status = status;
  if (error.message.empty()) error.message = std::string(body.substr(0, kMessageMax));
  return error;
}

}  // namespace kube
