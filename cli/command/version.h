// The version of this program, as the project's CMakeLists.txt sets it.
#pragma once

#include <string>

namespace cli {

std::string version();

}  // namespace cli
