#include "operator/types/yaml.h"

#include <algorithm>
#include <cctype>

namespace kube {
namespace {

// A text that YAML reads back as that text without quotes.
bool is_plain(const std::string& text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text.front())) == 0) return false;
  for (const char* meant : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (std::ranges::equal(text, std::string_view(meant), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == b;
        })) {
      return false;
    }
  }
  return std::ranges::all_of(text,
                             [](char c) {
                               return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                                      std::string_view(" ._-/(),'").contains(c);
                             }) &&
         text.back() != ' ' && !text.contains(", ");
}

std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value.get<std::string>())) return value.get<std::string>();
  // A JSON text is a YAML text.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write(const Json& value, int depth, bool in_list, std::string& out);

// After "key:" or "-".
void write_below(const Json& value, int depth, bool in_list, std::string& out) {
  if ((value.is_object() || value.is_array()) && !value.empty()) {
    if (in_list) {
      out += ' ';
    } else {
      out += '\n';
    }
    return write(value, depth, in_list, out);
  }
  out += ' ' + scalar(value) + '\n';
}

void write(const Json& value, int depth, bool in_list, std::string& out) {
  const std::string margin(static_cast<std::size_t>(depth) * 2, ' ');
  bool indent = !in_list;
  if (value.is_object()) {
    for (const auto& [name, each] : value.items()) {
      if (indent) out += margin;
      indent = true;
      out += scalar(name) + ':';
      write_below(each, each.is_array() ? depth : depth + 1, false, out);
    }
    return;
  }
  for (const Json& each : value) {
    if (indent) out += margin;
    indent = true;
    out += '-';
    write_below(each, depth + 1, true, out);
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  std::string out;
  if ((value.is_object() || value.is_array()) && !value.empty()) {
    write(value, 0, false, out);
  } else {
    out = scalar(value) + "\n";
  }
  return out;
}

}  // namespace kube
