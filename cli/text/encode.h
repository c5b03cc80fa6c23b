// Bytes in JSON: text as it is when it is UTF-8, else base64 under another name. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cli {

// Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);

// RFC 4648 base64 with padding.
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace cli
