#include "cli/command/help.h"

#include <CLI/CLI.hpp>
#include <sstream>

namespace cli {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNames); }

  // CLI11 indents lines but does not make them.
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string out;
    std::size_t used = 0;
    std::istringstream words(option->get_description());
    for (std::string word; words >> word;) {
      if (used > 0 && used + 1 + word.size() > kWidth - kNames) {
        out += '\n';
        used = 0;
      }
      if (used > 0) {
        out += ' ';
        ++used;
      }
      out += word;
      used += word.size();
    }
    return out;
  }

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

 private:
  static constexpr std::size_t kNames = 34;  // columns before the text
  static constexpr std::size_t kWidth = 100;
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

}  // namespace cli
