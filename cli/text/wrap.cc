#include "cli/text/wrap.h"

#include "cli/text/table.h"

namespace cli {

std::string wrap(std::string_view text, std::size_t width, std::string_view indent) {
  std::string out;
  std::string line;
  const auto end_line = [&] {
    if (!line.empty()) out += line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == std::string_view::npos ? "" : text.substr(space + 1);
    if (word.empty()) continue;
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) end_line();
    line += line.empty() ? std::string(indent) : " ";
    line += word;
  }
  end_line();
  return out;
}

}  // namespace cli
