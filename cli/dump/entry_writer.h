// Lines of a dump: the same facts as `name: value` words for people or as one JSON object.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/dump/log_dump.h"
#include "cli/text/table.h"

namespace cli {

class EntryWriter {
 public:
  using Json = nlohmann::ordered_json;

  EntryWriter(std::string_view file, const DumpOptions& options, const DumpOut& out)
      : file_(file), options_(options), out_(out) {}

  // The line that opens a file; nothing in JSON, where every object names the file.
  void open(std::string_view kind) {
    if (!options_.json) out_(fmt::format("{} ({})\n", file_, kind));
  }
  // `facts` is an object; `type` names what it is in JSON, `lead` opens the line for people.
  void entry(std::string_view type, const Json& facts, std::string_view lead = "") {
    if (options_.json) return json_line(type, facts);
    std::string line(lead);
    for (const auto& [name, value] : facts.items()) {
      if (line.size() > lead.size()) line += ' ';
      line += name + ": " +
              (value.is_string() ? escape_control(value.get_ref<const std::string&>())
                                 : value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    out_(line + "\n");
  }
  void problem(std::uint64_t position, std::string_view what) {
    ++problems_;
    if (options_.json) return json_line("problem", {{"position", position}, {"what", what}});
    out_(fmt::format("PROBLEM at byte {}: {}\n", position, what));
  }
  // What the file comes to, last.
  void summary(const Json& facts) {
    if (options_.json) return json_line("summary", facts);
    entry("summary", facts, options_.summary ? fmt::format("{}: ", file_) : "summary: ");
  }
  std::int64_t problems() const { return problems_; }

 private:
  void json_line(std::string_view type, const Json& facts) {
    Json object{{"file", file_}, {"type", type}};
    object.update(facts);
    out_(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  std::string file_;
  const DumpOptions& options_;
  const DumpOut& out_;
  std::int64_t problems_ = 0;
};

}  // namespace cli
