// How Control makes one call, and what it makes of an error. Internal to control.cc and
// control_orders.cc.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "operator/node/control.h"
#include "proto/controller.pb.h"

namespace kube {

inline constexpr base::Duration kAskTimeout = std::chrono::seconds(2);
inline constexpr base::Duration kOrderTimeout = std::chrono::seconds(10);

inline base::Uuid uuid_of(const proto::Uuid& id) { return {id.high(), id.low()}; }

// What the error says; nothing when it is none, or that all is as it was to become.
inline ControlResult verdict(const proto::Error& error,
                             std::initializer_list<wire::ErrorCode> fine = {}) {
  if (error.code() == 0) return {};
  for (wire::ErrorCode each : fine) {
    if (error.code() == static_cast<int>(each)) return {};
  }
  if (!error.message().empty()) return std::unexpected(error.message());
  return std::unexpected("error " + std::to_string(error.code()));
}

template <class Waiting>
void fail_all(Waiting& waiting, const std::string& why) {
  for (auto& each : waiting) each.answer(std::unexpected(why));
}

template <class Reply, class Request>
io::Task<std::expected<Reply, std::string>> Control::ask(const char* method, Request request,
                                                         base::Duration timeout) {
  const auto bytes = co_await io::Callback<io::IoResult<std::string>>([&](auto resume) {
    client_->call(method, request.SerializeAsString(), timeout, std::move(resume));
  });
  if (!bytes) co_return std::unexpected(bytes.error().what);
  Reply reply;
  if (!reply.ParseFromString(*bytes)) co_return std::unexpected("the reply cannot be read");
  co_return reply;
}

template <class Reply>
void Control::ask(const char* method, std::string request,
                  std::move_only_function<void(std::expected<Reply, std::string>)> then) {
  client_->call(method, std::move(request), kOrderTimeout,
                [then = std::move(then)](io::IoResult<std::string> bytes) mutable {
                  if (!bytes) return then(std::unexpected(bytes.error().what));
                  Reply reply;
                  if (!reply.ParseFromString(*bytes)) {
                    return then(std::unexpected("the reply cannot be read"));
                  }
                  // Nothing was tried.
                  if (const auto whole = verdict(reply.error()); !whole) {
                    return then(std::unexpected(whole.error()));
                  }
                  then(std::move(reply));
                });
}

}  // namespace kube
