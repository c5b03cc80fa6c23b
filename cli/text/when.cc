#include "cli/text/when.h"

#include <fmt/format.h>

#include <chrono>

#include "cli/text/quantity.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

// Reads numbers and separators from the left of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `digits` decimal digits.
  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    std::string_view part = rest_.substr(0, digits);
    if (part.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    rest_.remove_prefix(digits);
    return static_cast<int>(parse_integer(part).value_or(0));
  }
  // A fraction of a second, one digit or more, as milliseconds.
  std::optional<int> fraction_ms() {
    std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (digits == 0) return std::nullopt;
    std::string part = std::string(rest_.substr(0, std::min<std::size_t>(digits, 3)));
    part.resize(3, '0');
    rest_.remove_prefix(digits);
    return static_cast<int>(parse_integer(part).value_or(0));
  }

 private:
  std::string_view rest_;
};

// "Z", "+hh:mm" or "-hh:mm" up to the end; an empty rest is UTC.
std::optional<milliseconds> parse_zone(Scanner& scan) {
  if (scan.done()) return milliseconds(0);
  if (scan.skip('Z') || scan.skip('z')) {
    return scan.done() ? std::optional(milliseconds(0)) : std::nullopt;
  }
  bool east = scan.skip('+');
  if (!east && !scan.skip('-')) return std::nullopt;
  auto hours = scan.number(2);
  scan.skip(':');
  auto minutes = scan.number(2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59 || !scan.done()) return std::nullopt;
  milliseconds offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return east ? offset : -offset;
}

// The time of day after the date, with its zone, as what to add to the date's midnight in UTC.
std::optional<milliseconds> parse_time_of_day(Scanner& scan) {
  auto hour = scan.number(2);
  if (!hour || *hour > 23 || !scan.skip(':')) return std::nullopt;
  auto minute = scan.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  milliseconds time = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (scan.skip(':')) {
    auto second = scan.number(2);
    if (!second || *second > 60) return std::nullopt;
    time += std::chrono::seconds(*second);
    if (scan.skip('.')) {
      auto fraction = scan.fraction_ms();
      if (!fraction) return std::nullopt;
      time += milliseconds(*fraction);
    }
  }
  auto zone = parse_zone(scan);
  if (!zone) return std::nullopt;
  return time - *zone;
}

std::optional<base::WallMs> parse_calendar(std::string_view text) {
  Scanner scan(text);
  auto year = scan.number(4);
  if (!year || !scan.skip('-')) return std::nullopt;
  auto month = scan.number(2);
  if (!month || !scan.skip('-')) return std::nullopt;
  auto day = scan.number(2);
  if (!day) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(*year),
                                   std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  milliseconds since = std::chrono::sys_days(date).time_since_epoch();
  if (scan.done()) return since.count();
  if (!scan.skip('T') && !scan.skip(' ')) return std::nullopt;
  auto time = parse_time_of_day(scan);
  if (!time) return std::nullopt;
  return (since + *time).count();
}

}  // namespace

std::optional<base::WallMs> parse_when(std::string_view text, base::WallMs now) {
  if (text == "now") return now;
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    return parse_integer(text);
  }
  std::string_view ago = text.starts_with('-') ? text.substr(1) : text;
  if (auto duration = parse_duration(ago);
      duration && ago.find_first_not_of("0123456789") != std::string_view::npos) {
    return now - duration->count();
  }
  return parse_calendar(text);
}

std::string format_when(base::WallMs at) {
  // The last millisecond of the year 9999: beyond it there is no calendar form to print.
  static constexpr base::WallMs kLast = 253'402'300'799'999;
  if (at < 0) return "-";
  if (at > kLast) return std::to_string(at);
  std::chrono::sys_time<milliseconds> time{milliseconds(at)};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace cli
