#include "operator/node/kube.h"

#include <algorithm>
#include <array>

namespace kube {

const Kind* kind_named(std::string_view name) {
  static constexpr std::array<const Kind*, 11> kAll = {
      &kClusters,          &kTopics, &kPods,   &kVolumeClaims,   &kServices, &kConfigMaps,
      &kDisruptionBudgets, &kLeases, &kEvents, &kStorageClasses, &kNodes};
  const auto at = std::ranges::find_if(kAll, [&](const Kind* each) { return each->name == name; });
  return at == kAll.end() ? nullptr : *at;
}

std::string ApiError::to_string() const {
  if (status == 0) return "no answer from the API server: " + message;
  std::string text = std::to_string(status);
  if (!reason.empty()) text += " " + reason;
  return message.empty() ? text : text + ": " + message;
}

io::Task<ApiResult<Json>> call(Api& api, ApiCall call) {
  co_return co_await io::Callback<ApiResult<Json>>(
      [&api, call = std::move(call)](auto resume) mutable {
        api.call(std::move(call), std::move(resume));
      });
}

io::Task<ApiResult<Json>> get(Api& api, const Kind& kind, std::string ns, std::string name) {
  ApiCall request;
  request.kind = &kind;
  request.ns = std::move(ns);
  request.name = std::move(name);
  co_return co_await call(api, std::move(request));
}

namespace {

bool all_digits(const std::string& value) {
  return !value.empty() &&
         std::ranges::all_of(value, [](unsigned char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string meta_name(const Json& object) { return text_at(object, {"metadata", "name"}); }
std::string meta_namespace(const Json& object) {
  return text_at(object, {"metadata", "namespace"});
}
std::string meta_uid(const Json& object) { return text_at(object, {"metadata", "uid"}); }
std::string meta_version(const Json& object) {
  return text_at(object, {"metadata", "resourceVersion"});
}
std::string meta_label(const Json& object, std::string_view label) {
  return text_at(object, {"metadata", "labels", label});
}
bool is_being_deleted(const Json& object) {
  return find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

bool is_older_version(const std::string& left, const std::string& right) {
  if (!all_digits(left) || !all_digits(right)) return false;
  if (left.size() != right.size()) return left.size() < right.size();
  return left < right;
}

}  // namespace kube
