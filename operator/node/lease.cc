#include "operator/node/lease.h"

#include <chrono>
#include <cstdio>
#include <utility>

namespace kube {

std::string micro_time(base::WallMs wall) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(wall)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03d000Z",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                static_cast<int>(time.subseconds().count()));
  return text;
}

Lease::Lease(io::Executor& executor, Api& api, io::Clock& clock, base::Diag& diag,
             base::Random random, Options options, std::function<void()> on_leading,
             std::function<void()> on_lost)
    : executor_(executor),
      api_(api),
      clock_(clock),
      diag_(diag),
      random_(random),
      options_(std::move(options)),
      on_leading_(std::move(on_leading)),
      on_lost_(std::move(on_lost)),
      self_(std::make_shared<Lease*>(this)) {
  retry_.on_fire([this] { step(); });
  deadline_.on_fire([this] { check_deadline(); });
}

Lease::~Lease() { *self_ = nullptr; }

void Lease::start() { step(); }

bool Lease::leading() const {
  return state_ == State::kLeading && executor_.now() < renewed_ + options_.renew_deadline;
}

void Lease::call(ApiCall call, void (Lease::*then)(ApiResult<Json>)) {
  call.kind = &kLeases;
  call.ns = options_.ns;
  api_.call(std::move(call), [self = self_, then](ApiResult<Json> result) {
    if (*self) ((*self)->*then)(std::move(result));
  });
}

void Lease::step() {
  step_began_ = executor_.now();
  ApiCall request;
  request.name = options_.name;
  call(std::move(request), &Lease::read);
}

void Lease::step_later() {
  // Two that wait do not always ask at the same time.
  const auto jitter = static_cast<std::int64_t>(
      random_.below(static_cast<std::uint64_t>(options_.retry.count() / 5 + 1)));
  executor_.timers().set(retry_, executor_.now() + options_.retry + base::Duration(jitter));
}

void Lease::read(ApiResult<Json> result) {
  if (state_ == State::kLost || state_ == State::kReleased) return;
  if (!result) {
    if (!result.error().is_not_found()) {
      diag_.warn("lease", "cannot be read", {{"error", result.error().to_string()}});
      return step_later();
    }
    Json lease = {{"apiVersion", kLeases.api_version()},
                  {"kind", std::string(kLeases.name)},
                  {"metadata", {{"name", options_.name}, {"namespace", options_.ns}}}};
    return take(std::move(lease), true);
  }
  const Json record = result->value("spec", Json::object());
  const auto holder = record.find("holderIdentity");
  holder_ = holder != record.end() && holder->is_string() ? holder->get<std::string>() : "";
  if (record != seen_) {
    seen_ = record;
    seen_at_ = executor_.now();
  }
  const bool free = holder_.empty() || holder_ == options_.identity;
  if (!free && state_ == State::kLeading) {
    // Somebody took what we could not renew.
    state_ = State::kLost;
    diag_.error("lease", "lost to another operator", {{"holder", holder_}});
    return on_lost_();
  }
  if (!free && executor_.now() < seen_at_ + options_.duration) return step_later();
  take(std::move(*result), false);
}

Json Lease::spec(const Json& before) const {
  const std::string now = micro_time(clock_.wall_ms());
  const bool same = state_ == State::kLeading;
  Json spec = before.is_object() ? before : Json::object();
  const auto transitions = spec.find("leaseTransitions");
  const std::int64_t count = transitions != spec.end() && transitions->is_number_integer()
                                 ? transitions->get<std::int64_t>()
                                 : 0;
  if (!same) {
    spec["acquireTime"] = now;
    spec["leaseTransitions"] = spec.contains("holderIdentity") ? count + 1 : count;
  }
  spec["holderIdentity"] = options_.identity;
  spec["leaseDurationSeconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(options_.duration).count();
  spec["renewTime"] = now;
  return spec;
}

void Lease::take(Json lease, bool create) {
  lease["spec"] = spec(lease.value("spec", Json::object()));
  ApiCall request;
  request.verb = create ? Verb::kCreate : Verb::kReplace;
  request.kind = &kLeases;
  request.ns = options_.ns;
  request.name = create ? "" : options_.name;
  request.body = std::move(lease);
  api_.call(std::move(request), [self = self_, began = step_began_](ApiResult<Json> result) {
    if (*self) (*self)->wrote(began, std::move(result));
  });
}

void Lease::wrote(base::Instant began, ApiResult<Json> result) {
  if (state_ == State::kLost || state_ == State::kReleased) return;
  if (!result) {
    diag_.warn("lease", "cannot be written", {{"error", result.error().to_string()}});
    return step_later();
  }
  lease_ = std::move(*result);
  holder_ = options_.identity;
  // From before the call: the server's record is no older than that.
  renewed_ = began;
  executor_.timers().set(deadline_, renewed_ + options_.renew_deadline);
  step_later();
  if (std::exchange(state_, State::kLeading) == State::kLeading) return;
  diag_.info("lease", "leading",
             {{"lease", options_.ns + "/" + options_.name}, {"identity", options_.identity}});
  on_leading_();
}

void Lease::check_deadline() {
  if (state_ != State::kLeading) return;
  state_ = State::kLost;
  diag_.error("lease", "could not be renewed in time");
  on_lost_();
}

void Lease::release(std::move_only_function<void()> done) {
  const bool was_leading = leading();
  state_ = State::kReleased;
  retry_.cancel();
  deadline_.cancel();
  if (!was_leading) return done();
  Json lease = lease_;
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;
  ApiCall request;
  request.verb = Verb::kReplace;
  request.kind = &kLeases;
  request.ns = options_.ns;
  request.name = options_.name;
  request.body = std::move(lease);
  api_.call(std::move(request),
            [done = std::move(done)](const ApiResult<Json>&) mutable { done(); });
}

}  // namespace kube
