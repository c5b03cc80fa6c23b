// What `moldau dev` says about its cluster.
#pragma once

#include <string>

#include "cli/dev/dev_list.h"

namespace cli::texts {

// "12:34:56", local time.
std::string time_of_day();

// When all are ready: where to connect, and what to try.
std::string greeting(const DevMembers& members, const std::string& directory);

// Who died of what (`status` of waitpid), the end of its log, and how it comes back.
std::string of_death(const DevMember& member, int status, const std::string& directory);

// Last lines of a file, each indented; empty when it cannot be read.
std::string end_of_file(const std::string& path, int lines);

// " --data-dir DIR" unless it is where clusters are by default.
std::string directory_flag(const std::string& directory);
// Where `moldau dev` has its data: a single node, or a cluster.
std::string default_data_dir();
std::string default_cluster_dir();

}  // namespace cli::texts
