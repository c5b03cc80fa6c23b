#include "cli/text/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    auto code = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (code < 0x20 || code == 0x7F) {
      out += fmt::format("\\x{:02x}", code);
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(std::string_view text, bool color) {
  return color ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = escape_control(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::draw(bool color) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  std::string out;
  auto line = [&](auto&& cell_of, bool header) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      std::string pad(widths[i] - display_width(cell), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].right ? pad + cell : cell + pad;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += header ? bold(text, color) : text;
    out += '\n';
  };
  line([&](std::size_t i) -> const std::string& { return columns_[i].title; }, true);
  for (const auto& row : rows_) {
    line([&](std::size_t i) -> const std::string& { return row[i]; }, false);
  }
  return out;
}

void Facts::add(std::string name, std::string value) {
  facts_.emplace_back(std::move(name), escape_control(value));
}

std::string Facts::draw(bool color) const {
  std::size_t width = 0;
  for (const auto& [name, value] : facts_) width = std::max(width, display_width(name));
  std::string out;
  for (const auto& [name, value] : facts_) {
    out += bold(name, color) + std::string(width - display_width(name) + 2, ' ') + value + '\n';
  }
  return out;
}

}  // namespace cli
