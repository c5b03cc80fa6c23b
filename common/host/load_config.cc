#include "common/host/load_config.h"

#include <fstream>
#include <iterator>
#include <string_view>

#include "common/config/yaml_config.h"

extern char** environ;

namespace host {

std::expected<config::GivenValues, std::string> load_config(const std::string& file,
                                                            const std::vector<std::string>& sets) {
  config::LoadInput input;
  if (!file.empty()) {
    std::ifstream text(file);
    if (!text) return std::unexpected("cannot read " + file);
    input.file_name = file;
    input.file_text.assign(std::istreambuf_iterator<char>(text), {});
  }
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    const auto equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    input.environment.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  input.sets = sets;
  return config::load(input);
}

}  // namespace host
