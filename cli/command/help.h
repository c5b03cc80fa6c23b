// How --help looks: CLI11's, with the noise of types and ranges left out.
#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace cli {

std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace cli
