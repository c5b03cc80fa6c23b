#include "common/wire/schema_oracle.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>

#include "common/base/check.h"

namespace wire {
namespace {

OracleVersions parse_versions(std::string text) {
  if (text == "none") return {};
  if (text.starts_with('v')) text.erase(0, 1);
  OracleVersions versions;
  versions.first = std::stoi(text);
  versions.last = versions.first;
  if (text.ends_with('+')) versions.last = std::numeric_limits<int>::max();
  if (std::size_t dash = text.find('-'); dash != std::string::npos) {
    versions.last = std::stoi(text.substr(dash + 1));
  }
  return versions;
}

OracleField parse_field(const std::string& line) {
  std::istringstream words(line);
  OracleField field;
  std::string versions;
  std::string option;
  std::string value;
  words >> field.name >> field.type >> versions;
  CHECK(field.name.ends_with(':'));
  field.name.pop_back();
  field.is_array = field.type.starts_with("[]");
  if (field.is_array) field.type.erase(0, 2);
  field.versions = parse_versions(versions);
  while (words >> option >> value) {
    if (option == "nullable") field.nullable = parse_versions(value);
    if (option == "tag") field.tag = std::stoi(value);
    if (option == "default") field.default_value = value == "\"\"" ? "" : value;
  }
  return field;
}

OracleMessage parse_heading(const std::string& line) {
  std::istringstream words(line);
  OracleMessage message;
  std::string kind;
  std::string option;
  std::string value;
  words >> kind >> message.name;
  while (words >> option >> value) {
    if (option == "versions") message.versions = parse_versions(value);
    if (option == "flexible") message.flexible = parse_versions(value);
  }
  return message;
}

// Writes one message. A fresh one per message.
class Filler {
 public:
  Filler(const OracleMessage& message, int version, base::Random& random,
         const OracleOptions& options)
      : message_(message),
        version_(version),
        flexible_(message.flexible.has(version)),
        random_(random),
        options_(options) {}

  base::Bytes fill(const std::vector<OracleField>& fields) {
    base::Bytes out;
    put_struct(out, fields, false);
    return out;
  }

 private:
  void put_number(base::Bytes& out, std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
      out.push_back(static_cast<std::byte>(value >> shift));
    }
  }

  void put_varint(base::Bytes& out, std::uint64_t value) {
    while (value >= 128) {
      out.push_back(static_cast<std::byte>(value % 128 + 128));
      value /= 128;
    }
    out.push_back(static_cast<std::byte>(value));
  }

  void put_length(base::Bytes& out, std::int64_t length, int plain_size) {
    if (flexible_) {
      put_varint(out, static_cast<std::uint64_t>(length + 1));
    } else {
      put_number(out, static_cast<std::uint64_t>(length), plain_size);
    }
  }

  void put_random_bytes(base::Bytes& out, std::uint64_t size) {
    for (; size > 0; --size) out.push_back(static_cast<std::byte>(random_.next()));
  }

  static int number_size(const std::string& type) {
    if (type == "bool" || type == "int8") return 1;
    if (type == "int16" || type == "uint16") return 2;
    if (type == "int32" || type == "uint32") return 4;
    return type == "int64" || type == "float64" ? 8 : 0;
  }

  // Defaults are -1, 0, small numbers and extremes; random draws avoid the one given.
  void put_number_of(base::Bytes& out, const OracleField& field, bool default_only,
                     bool not_default) {
    int size = number_size(field.type);
    std::uint64_t mask = size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
    std::uint64_t default_value = 0;
    if (field.default_value == "true") {
      default_value = 1;
    } else if (!field.default_value.empty() && field.default_value != "false") {
      default_value = static_cast<std::uint64_t>(std::stoll(field.default_value)) & mask;
    }
    std::uint64_t value = default_value;
    while (!default_only && value == default_value) {
      value = random_.next() & mask;
      if (field.type == "bool") value %= 2;
      // Not a NaN, which is unequal to itself.
      if (field.type == "float64") value &= ~(std::uint64_t{1} << 62);
      if (!not_default && random_.chance(1, 4)) break;
    }
    put_number(out, value, size);
  }

  // One value, without regard to arrays and null.
  void put_value(base::Bytes& out, const OracleField& field, bool default_only, bool not_default) {
    if (number_size(field.type) > 0) return put_number_of(out, field, default_only, not_default);
    if (field.type == "uuid") {
      return default_only          ? put_number(out, 0, 8),
             put_number(out, 0, 8) : put_random_bytes(out, 16);
    }
    if (field.type == "string" || field.type == "bytes" || field.type == "records") {
      std::uint64_t size = default_only ? 0 : random_.below(options_.string_size_max + 1);
      if (not_default) ++size;
      put_length(out, static_cast<std::int64_t>(size), field.type == "string" ? 2 : 4);
      return put_random_bytes(out, size);
    }
    const std::vector<OracleField>& fields = message_.structs.at(field.type);
    base::Bytes value;
    base::Bytes plain;
    put_struct(plain, fields, true);
    do {
      value.clear();
      put_struct(value, fields, default_only);
    } while (not_default && value == plain);
    out.insert(out.end(), value.begin(), value.end());
  }

  void put_null(base::Bytes& out, const OracleField& field) {
    bool is_struct = !field.is_array && message_.structs.contains(field.type);
    if (!is_struct) return put_length(out, -1, field.type == "string" && !field.is_array ? 2 : 4);
    if (field.tag) return put_varint(out, 0);
    put_number(out, 0xff, 1);
  }

  void put_field(base::Bytes& out, const OracleField& field, bool default_only, bool not_default) {
    bool can_be_null = field.nullable.has(version_);
    bool null_by_default = field.default_value == "null";
    if (default_only && null_by_default && can_be_null) return put_null(out, field);
    if (!default_only && !not_default && can_be_null && random_.chance(1, 4)) {
      return put_null(out, field);
    }
    if (field.is_array) {
      std::uint64_t count = default_only ? 0 : random_.below(options_.elements_max + 1);
      if (not_default && count == 0) count = 1;
      put_length(out, static_cast<std::int64_t>(count), 4);
      OracleField element = field;
      element.default_value.clear();
      for (; count > 0; --count) put_value(out, element, false, false);
      return;
    }
    if (can_be_null && message_.structs.contains(field.type)) out.push_back(std::byte{1});
    // Null by default and present: any value is not the default.
    bool must_differ = not_default && !null_by_default;
    put_value(out, field, default_only, must_differ);
  }

  void put_struct(base::Bytes& out, const std::vector<OracleField>& fields, bool default_only) {
    std::map<int, const OracleField*> tagged;
    for (const OracleField& field : fields) {
      if (!field.versions.has(version_)) continue;
      if (!field.tag) {
        put_field(out, field, default_only, false);
      } else if (!default_only && random_.chance(1, 2)) {
        tagged[*field.tag] = &field;
      }
    }
    if (!flexible_) return;
    put_varint(out, tagged.size());
    for (auto [tag, field] : tagged) {
      base::Bytes contents;
      put_field(contents, *field, false, true);
      put_varint(out, static_cast<std::uint64_t>(tag));
      put_varint(out, contents.size());
      out.insert(out.end(), contents.begin(), contents.end());
    }
  }

  const OracleMessage& message_;
  int version_;
  bool flexible_;
  base::Random& random_;
  OracleOptions options_;
};

}  // namespace

std::map<std::string, OracleMessage> read_oracle_file(const std::string& path) {
  std::ifstream file(path);
  CHECK(file.is_open());
  std::map<std::string, OracleMessage> messages;
  OracleMessage* message = nullptr;
  // Where the fields of each level go: the message's own or a struct's.
  std::vector<std::vector<OracleField>*> levels;
  for (std::string line; std::getline(file, line);) {
    std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos || line[indent] == '#') continue;
    std::string text = line.substr(indent);
    if (indent == 0) {
      OracleMessage heading = parse_heading(text);
      message = &(messages[heading.name] = heading);
      levels = {&message->fields};
      continue;
    }
    CHECK(message != nullptr && indent % 2 == 0 && indent / 2 <= levels.size());
    levels.resize(indent / 2);
    if (text.starts_with("struct ")) {
      std::string name = text.substr(7, text.find(' ', 7) - 7);
      levels.push_back(&message->structs[name]);
    } else {
      levels.back()->push_back(parse_field(text));
      const std::string& type = levels.back()->back().type;
      // Built-in types are lower-case; those of structs may get their fields right below.
      if (type[0] >= 'A' && type[0] <= 'Z') {
        levels.push_back(&message->structs[type]);
      }
    }
  }
  return messages;
}

base::Bytes random_message(const OracleMessage& message, int version, base::Random& random,
                           const OracleOptions& options) {
  return Filler(message, version, random, options).fill(message.fields);
}

}  // namespace wire
