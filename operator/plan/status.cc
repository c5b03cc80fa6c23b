#include "operator/plan/status.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace kube {

std::string timestamp(base::WallMs at) {
  using namespace std::chrono;
  const sys_time<milliseconds> when{milliseconds(at)};
  const sys_days day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(when - day));
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return out.data();
}

std::optional<base::WallMs> parse_timestamp(const std::string& text) {
  using namespace std::chrono;
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                  &second) != 6) {
    return std::nullopt;
  }
  const year_month_day date{std::chrono::year(year), std::chrono::month(month),
                            std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

const Json& condition_of(const Json& resource, std::string_view type) {
  static const Json kNone = Json::object();
  for (const Json& each : list_at(resource, {"status", "conditions"})) {
    if (text_at(each, {"type"}) == type) return each;
  }
  return kNone;
}

Json conditions_of(const Json& resource, const std::vector<Condition>& conditions,
                   base::WallMs now) {
  Json out = Json::array();
  for (const Condition& each : conditions) {
    const Json& before = condition_of(resource, each.type);
    const std::string status = each.is_true ? "True" : "False";
    const bool same = text_at(before, {"status"}) == status;
    out.push_back(
        {{"type", each.type},
         {"status", status},
         {"reason", each.reason},
         {"message", each.message},
         {"observedGeneration", number_at(resource, {"metadata", "generation"})},
         {"lastTransitionTime",
          same ? text_at(before, {"lastTransitionTime"}, timestamp(now)) : timestamp(now)}});
  }
  return out;
}

}  // namespace kube
