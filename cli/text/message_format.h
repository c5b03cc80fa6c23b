// How consumed records are printed: a format in kcat's letters, or one JSON object a line. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "cli/text/message.h"

namespace cli {

// %t topic · %p partition · %o offset · %k key · %K size of the key · %v %s value · %V %S size of
// the value · %T timestamp in ms · %d timestamp as a date · %h headers as name=value,... · %e
// leader epoch · %% a percent sign. Sizes of null are -1. Escapes: \n \r \t \0 \\ \xHH, and \c at
// the end. A newline follows each record unless the format has a \n or ends in \c.
class MessageFormat {
 public:
  // The error says what is wrong and where.
  static std::expected<MessageFormat, std::string> parse(std::string_view format);

  void append(const Message& message, std::string& out) const;

 private:
  struct Piece {
    char letter = 0;      // 0: the literal alone
    std::string literal;  // stands before the field
  };
  std::vector<Piece> pieces_;
};

// One line: {"topic","partition","offset","timestamp","key","value","headers"}. Bytes that are not
// UTF-8 stand under "key_base64", "value_base64" in place of "key", "value".
void append_json_line(const Message& message, std::string& out);

}  // namespace cli
