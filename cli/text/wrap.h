// Breaks text into lines at spaces. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

// Lines of at most `width` columns, each with `indent` before it and '\n' behind. A word that is
// longer stands alone and sticks out.
std::string wrap(std::string_view text, std::size_t width, std::string_view indent);

}  // namespace cli
