#include "cli/command/help.h"

#include <CLI/CLI.hpp>

namespace cli {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }

  // "N" instead of "N:INT in [1 - 100]"; choices as they are; nothing behind a positional's name.
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string type = option->get_type_name();
    if (option->get_items_expected_max() == 0) return "";
    if (std::size_t open = type.find('{'); open != std::string::npos) {
      type = type.substr(open, type.find('}') - open + 1);
    } else {
      type =
          type.substr(0, type.find(':') == type.find(":PORT") ? std::string::npos : type.find(':'));
    }
    bool many = option->get_expected_max() == CLI::detail::expected_max_vector_size;
    if (option->get_positional()) return many ? "..." : "";
    return type.empty() ? "" : " " + type;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

}  // namespace cli
