// Shell completion scripts made from the command tree, so that they never lag behind it. Pure.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace cli {

std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
std::string fish_completion(const CLI::App& root);

}  // namespace cli
