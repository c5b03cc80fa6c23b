// JSON written as YAML, for files that people read. Pure.
#pragma once

#include <string>

#include "operator/types/json.h"

namespace kube {

// One document without a leading "---", ending with a newline.
std::string to_yaml(const Json& value);

}  // namespace kube
