// Where a process takes its configuration from: flags over environment over file.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/config/broker_config.h"

namespace host {

// `file` may be empty. All errors, one a line, for people.
std::expected<config::GivenValues, std::string> load_config(const std::string& file,
                                                            const std::vector<std::string>& sets);

}  // namespace host
