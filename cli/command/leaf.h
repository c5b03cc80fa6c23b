// Puts one command into the tree.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "cli/command/context.h"

namespace cli {

// A command that talks to the cluster: with the common options, and `run(options, context)` as what
// it does. The caller adds its own options, bound to `options`.
template <class Options, class Run>
CLI::App* add_leaf(CLI::App& parent, Context& context, const std::string& name,
                   const std::string& about, const std::shared_ptr<Options>& options, Run run) {
  CLI::App* leaf = parent.add_subcommand(name, about);
  context.add_connection_options(*leaf);
  context.add_json_option(*leaf);
  leaf->callback([options, run, &context] { run(*options, context); });
  return leaf;
}

// An option that may be given again, one value each time.
template <class Value>
CLI::Option* add_repeatable(CLI::App& command, const std::string& names, Value& to,
                            const std::string& about, const std::string& type) {
  return command.add_option(names, to, about + "; may be given again")
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace cli
