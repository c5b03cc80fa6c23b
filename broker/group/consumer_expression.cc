#include "broker/group/consumer_expression.h"

#include <re2/re2.h>

#include "broker/group/limits.h"

namespace broker::group {
namespace {

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_max_mem(kExpressionProgramBytesMax);
  options.set_log_errors(false);
  return options;
}

}  // namespace

std::optional<std::string> expression_error(std::string_view expression) {
  if (expression.size() > kExpressionBytesMax) {
    return "it is longer than " + std::to_string(kExpressionBytesMax) + " bytes";
  }
  const re2::RE2 compiled({expression.data(), expression.size()}, options());
  if (!compiled.ok()) return compiled.error();
  return std::nullopt;
}

std::set<std::string, std::less<>> matching(
    std::string_view expression,
    const std::function<void(const std::function<void(std::string_view)>&)>& for_each_name) {
  std::set<std::string, std::less<>> out;
  if (expression.size() > kExpressionBytesMax) return out;
  const re2::RE2 compiled({expression.data(), expression.size()}, options());
  if (!compiled.ok()) return out;
  for_each_name([&](std::string_view name) {
    if (re2::RE2::FullMatch({name.data(), name.size()}, compiled)) out.emplace(name);
  });
  return out;
}

}  // namespace broker::group
