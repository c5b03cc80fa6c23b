#include "cli/command/completion.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "cli/command/context.h"

namespace cli {
namespace {

struct OptionFacts {
  std::vector<std::string> names;  // with their dashes; none for a positional
  std::string about;
  bool takes_value = false;
  std::vector<std::string> choices;
  std::string live;  // "topics", "groups": asked of the cluster when completing
};
struct CommandFacts {
  std::string path;  // "topic create"; empty for the root
  std::string about;
  std::vector<std::pair<std::string, std::string>> subcommands;  // name, about
  std::vector<OptionFacts> options;
};

// CLI11 tells the choices of an option only in its type: "TEXT:{a,b}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::string type = option.get_type_name();
  std::size_t open = type.find('{');
  std::size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  std::vector<std::string> choices;
  std::string_view list = std::string_view(type).substr(open + 1, close - open - 1);
  while (!list.empty()) {
    std::size_t comma = list.find(',');
    choices.emplace_back(list.substr(0, comma));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return choices;
}

// What a value names, by the word that stands for it in the help.
std::string live_names(const std::string& value_name) {
  if (value_name == "TOPIC") return "topics";
  return value_name == "GROUP" ? "groups" : "";
}

// The command that a script runs for them.
std::string live_command(const std::string& live) {
  return fmt::format("moldau complete-names {} 2>/dev/null", live);
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  facts.about = option.get_description();
  facts.takes_value = option.get_items_expected_max() > 0;
  facts.choices = choices_of(option);
  facts.live = live_names(option.get_positional() ? option.get_name(true) : option.get_type_name());
  return facts;
}

void walk(const CLI::App& app, const std::string& path, std::vector<CommandFacts>& out) {
  CommandFacts facts{
      .path = path, .about = app.get_description(), .subcommands = {}, .options = {}};
  auto subcommands =
      app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
  for (const CLI::App* sub : subcommands) {
    facts.subcommands.emplace_back(sub->get_name(), sub->get_description());
  }
  for (const CLI::Option* option : app.get_options()) facts.options.push_back(facts_of(*option));
  out.push_back(std::move(facts));
  for (const CLI::App* sub : subcommands) {
    walk(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
  }
}

std::vector<CommandFacts> commands_of(const CLI::App& root) {
  std::vector<CommandFacts> commands;
  walk(root, "", commands);
  return commands;
}

// For a single-quoted word of a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// 'a'|'b' of what the shell's case compares: every path but the root's.
std::string path_pattern(const std::vector<CommandFacts>& commands) {
  std::vector<std::string> paths;
  for (const CommandFacts& command : commands) {
    if (!command.path.empty()) paths.push_back(shell_quoted(" " + command.path));
  }
  return joined(paths, "|");
}

// The arms of `case "$path:$previous"`: what may follow an option. `body` makes the commands.
template <class Body>
std::string value_arms(const std::vector<CommandFacts>& commands, Body body) {
  std::string out;
  for (const CommandFacts& command : commands) {
    for (const OptionFacts& option : command.options) {
      if (!option.takes_value || option.names.empty()) continue;
      std::vector<std::string> patterns;
      std::string path = command.path.empty() ? "" : " " + command.path;
      for (const std::string& name : option.names)
        patterns.push_back(shell_quoted(path + ":" + name));
      out += fmt::format("    {}) {} ;;\n", joined(patterns, "|"), body(option));
    }
  }
  return out;
}

std::vector<std::string> words_of(const CommandFacts& command) {
  std::vector<std::string> words;
  for (const auto& [name, about] : command.subcommands) words.push_back(name);
  for (const OptionFacts& option : command.options) {
    if (option.names.empty()) {
      words.insert(words.end(), option.choices.begin(), option.choices.end());
    } else {
      words.push_back(option.names.back());
    }
  }
  return words;
}

// What the command's own arguments name, if the cluster knows.
std::string live_positional(const CommandFacts& command) {
  for (const OptionFacts& option : command.options) {
    if (option.names.empty() && !option.live.empty()) return option.live;
  }
  return "";
}

// For zsh's _describe: 'name:about', where a colon in either is escaped.
std::string described(std::string_view name, std::string_view about) {
  auto escaped = [](std::string_view text) {
    std::string out;
    for (char c : text) out += c == ':' ? std::string("\\:") : std::string(1, c);
    return out;
  };
  return shell_quoted(escaped(name) + ":" + escaped(about));
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  auto commands = commands_of(root);
  std::string out = fmt::format(
      "# bash completion for moldau. Load it with: source <(moldau completion bash)\n"
      "_moldau() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
      "  local path=\"\" words=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$path ${{COMP_WORDS[i]}}\" in\n"
      "      {}) path=\"$path ${{COMP_WORDS[i]}}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  case \"$path:$previous\" in\n",
      path_pattern(commands));
  out += value_arms(commands, [](const OptionFacts& option) {
    std::string words = joined(option.choices, " ");
    if (!option.live.empty()) words = fmt::format("$({})", live_command(option.live));
    if (words.empty()) return std::string("return");
    return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return", words);
  });
  out += "  esac\n  case \"$path\" in\n";
  for (const CommandFacts& command : commands) {
    std::string live = live_positional(command);
    out += fmt::format("    {}) words={}{} ;;\n",
                       shell_quoted(command.path.empty() ? "" : " " + command.path),
                       shell_quoted(joined(words_of(command), " ")),
                       live.empty() ? "" : fmt::format("\" $({})\"", live_command(live)));
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}\n"
      "complete -o default -F _moldau moldau\n";
  return out;
}

std::string zsh_completion(const CLI::App& root) {
  auto commands = commands_of(root);
  std::string out = fmt::format(
      "#compdef moldau\n"
      "# zsh completion for moldau. Load it with: source <(moldau completion zsh)\n"
      "_moldau() {{\n"
      "  local at=\"\" i\n"
      "  local -a commands options names\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"$at $words[i]\" in\n"
      "      {}) at=\"$at $words[i]\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$at:$words[CURRENT-1]\" in\n",
      path_pattern(commands));
  out += value_arms(commands, [](const OptionFacts& option) {
    if (!option.live.empty()) {
      return fmt::format("compadd -- ${{(f)\"$({})\"}}; return", live_command(option.live));
    }
    if (option.choices.empty()) return std::string("_files; return");
    return fmt::format("compadd -- {}; return", joined(option.choices, " "));
  });
  out += "  esac\n  case \"$at\" in\n";
  for (const CommandFacts& command : commands) {
    std::vector<std::string> subcommands;
    std::vector<std::string> options;
    for (const auto& [name, about] : command.subcommands) {
      subcommands.push_back(described(name, about));
    }
    for (const OptionFacts& option : command.options) {
      if (option.names.empty()) {
        for (const auto& choice : option.choices) subcommands.push_back(described(choice, ""));
      } else {
        options.push_back(described(option.names.back(), option.about));
      }
    }
    std::string live = live_positional(command);
    std::string names =
        live.empty() ? "" : fmt::format("      names=(${{(f)\"$({})\"}})\n", live_command(live));
    out += fmt::format("    {})\n      commands=({})\n{}      options=({}) ;;\n",
                       shell_quoted(command.path.empty() ? "" : " " + command.path),
                       joined(subcommands, " "), names, joined(options, " "));
  }
  out +=
      "  esac\n"
      "  if [[ \"$words[CURRENT]\" == -* ]]; then\n"
      "    _describe -o option options\n"
      "  elif ((${#commands})); then\n"
      "    _describe command commands\n"
      "  elif ((${#names})); then\n"
      "    compadd -- $names\n"
      "  else\n"
      "    _files\n"
      "  fi\n"
      "}\n"
      "if [[ \"${funcstack[1]}\" == _moldau ]]; then _moldau \"$@\"; else compdef _moldau moldau; "
      "fi\n";
  return out;
}

std::string fish_completion(const CLI::App& root) {
  auto commands = commands_of(root);
  std::vector<std::string> paths;
  for (const CommandFacts& command : commands) {
    if (!command.path.empty()) paths.push_back(shell_quoted(command.path));
  }
  std::string out = fmt::format(
      "# fish completion for moldau. Load it with: moldau completion fish | source\n"
      "function __moldau_at\n"
      "  set -l path\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if contains -- (string join -- ' ' $path $word) {}\n"
      "      set -a path $word\n"
      "    end\n"
      "  end\n"
      "  test (string join -- ' ' $path) = \"$argv[1]\"\n"
      "end\n"
      "complete -c moldau -f\n",
      joined(paths, " "));
  for (const CommandFacts& command : commands) {
    std::string at = fmt::format("complete -c moldau -n {}",
                                 shell_quoted(fmt::format("__moldau_at \"{}\"", command.path)));
    for (const auto& [name, about] : command.subcommands) {
      out += fmt::format("{} -a {} -d {}\n", at, name, shell_quoted(about));
    }
    for (const OptionFacts& option : command.options) {
      std::string values = option.choices.empty()
                               ? ""
                               : fmt::format(" -a {}", shell_quoted(joined(option.choices, " ")));
      if (!option.live.empty()) {
        values =
            fmt::format(" -a {}", shell_quoted(fmt::format("({})", live_command(option.live))));
      }
      if (option.names.empty()) {
        if (!values.empty()) out += fmt::format("{}{}\n", at, values);
        continue;
      }
      std::string line = at;
      for (const std::string& name : option.names) {
        bool is_long = name.starts_with("--");
        line += fmt::format(" -{} {}", is_long ? "l" : "s", name.substr(is_long ? 2 : 1));
      }
      if (option.takes_value) line += values.empty() ? " -r" : " -x" + values;
      out += fmt::format("{} -d {}\n", line, shell_quoted(option.about));
    }
  }
  return out;
}

// For the scripts: names only, quickly or not at all.
void add_complete_names_command(CLI::App& root, Context& context) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = root.add_subcommand("complete-names", "Names for completion")->group("");
  command->add_option("WHAT", *what)->required()->check(CLI::IsMember({"topics", "groups"}));
  command->callback([what, &context] {
    context.set_timeout("1s");
    for (const std::string& name :
         *what == "topics" ? topic_names(context) : group_names(context)) {
      context.print(name + "\n");
    }
  });
}

void add_completion_command(CLI::App& root, Context& context) {
  add_complete_names_command(root, context);
  auto shell = std::make_shared<std::string>();
  CLI::App* command = root.add_subcommand("completion", "Print a completion script for a shell");
  command->add_option("SHELL", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "bash: source <(moldau completion bash)\n"
      "zsh:  source <(moldau completion zsh)\n"
      "fish: moldau completion fish | source");
  command->callback([shell, &root, &context] {
    context.print(*shell == "bash"  ? bash_completion(root)
                  : *shell == "zsh" ? zsh_completion(root)
                                    : fish_completion(root));
  });
}

}  // namespace cli
