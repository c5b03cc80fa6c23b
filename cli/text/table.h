// A table for people: columns padded to their widest cell, two spaces apart, header in bold on a
// terminal, no trailing spaces. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cli {

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  // numbers stand to the right
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column; a shorter row is filled with empty cells.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // The whole table, each line ended by '\n'. Control characters in cells are shown escaped, so
  // that a hostile name cannot steer the terminal.
  std::string draw(bool color) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// `name: value` lines with the values aligned, in the order added.
class Facts {
 public:
  void add(std::string name, std::string value);
  std::string draw(bool color) const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

// How many terminal columns a UTF-8 text takes, counting one for each code point.
std::size_t display_width(std::string_view text);
// Control characters as \n, \t or \xNN; everything else as it is.
std::string escape_control(std::string_view text);

std::string bold(std::string_view text, bool color);

}  // namespace cli
