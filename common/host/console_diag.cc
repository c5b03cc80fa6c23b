#include "common/host/console_diag.h"

#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace host {
namespace {

constexpr std::size_t kRepeatsRemembered = 1024;

// 2026-01-31T12:00:00.000Z
std::string timestamp(base::WallMs wall_ms) {
  const time_t seconds = wall_ms / 1'000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t size = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                static_cast<int>(wall_ms % 1'000));
  return text.data();
}

void append_escaped_control(std::string& out, unsigned char c) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\u%04x", c);
  out += text.data();
}

// The length of the valid UTF-8 sequence at the start of `text`, 0 when there is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xc2 ? 0
                           : lead < 0xe0 ? 2
                           : lead < 0xf0 ? 3
                           : lead < 0xf5 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (lead == 0xed && byte(1) > 0x9f) return 0;  // a surrogate
  if (lead == 0xf0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;  // above U+10FFFF
  return size;
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t size = sequence(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      append_escaped_control(out, static_cast<unsigned char>(c));
    } else if (size == 0) {
      out += "\\ufffd";  // not UTF-8: a replacement, so that the line stays JSON
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

// Details come from clients too: no line breaks and no escape sequences reach a terminal.
void append_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      append_escaped_control(out, static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

std::string text_line(base::WallMs wall_ms, base::Diag::Level level, std::string_view component,
                      std::string_view message, const base::Diag::Details& details) {
  std::string line = timestamp(wall_ms);
  constexpr std::array<std::string_view, 4> kNames = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  line += ' ';
  line += kNames[static_cast<std::size_t>(level)];
  line += ' ';
  append_text(line, component);
  line += ": ";
  append_text(line, message);
  for (const auto& [key, value] : details) {
    line += ' ';
    append_text(line, key);
    line += '=';
    const bool plain = !value.empty() && value.find_first_of(" \"=") == std::string::npos;
    if (plain) {
      append_text(line, value);
    } else {
      append_json(line, value);
    }
  }
  line += '\n';
  return line;
}

std::string json_line(base::WallMs wall_ms, base::Diag::Level level, std::string_view component,
                      std::string_view message, const base::Diag::Details& details) {
  std::string line = R"({"ts":")" + timestamp(wall_ms) + R"(","level":")";
  line += ConsoleDiag::level_name(level);
  line += R"(","component":)";
  append_json(line, component);
  line += R"(,"msg":)";
  append_json(line, message);
  for (const auto& [key, value] : details) {
    line += ',';
    append_json(line, key);
    line += ':';
    append_json(line, value);
  }
  line += "}\n";
  return line;
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // nobody is left to tell
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

ConsoleDiag::Format choose(const ConsoleDiag::Options& options) {
  if (options.format) return *options.format;
  return isatty(options.descriptor) == 1 ? ConsoleDiag::Format::kText : ConsoleDiag::Format::kJson;
}

}  // namespace

ConsoleDiag::ConsoleDiag(const io::Clock& clock, Options options)
    : clock_(clock),
      descriptor_(options.descriptor),
      format_(choose(options)),
      repeats_max_(options.repeats_per_second_max),
      level_(options.level) {}

std::optional<ConsoleDiag::Level> ConsoleDiag::parse_level(std::string_view name) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (name == level_name(level)) return level;
  }
  return std::nullopt;
}

std::string_view ConsoleDiag::level_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

std::optional<std::uint64_t> ConsoleDiag::admit(std::string_view component,
                                                std::string_view message, std::int64_t second) {
  std::string key(component);
  key += '\0';
  key += message;
  if (repeats_.size() >= kRepeatsRemembered && !repeats_.contains(key)) repeats_.clear();
  Repeats& repeats = repeats_[key];
  if (repeats.second != second) {
    repeats.second = second;
    repeats.count = 0;
  }
  if (repeats.count >= repeats_max_) {
    ++repeats.suppressed;
    return std::nullopt;
  }
  ++repeats.count;
  return std::exchange(repeats.suppressed, 0);
}

void ConsoleDiag::write(Level level, std::string_view component, std::string_view message,
                        const Details& details) {
  if (level < this->level()) return;
  const base::WallMs wall_ms = clock_.wall_ms();
  const auto line = format_ == Format::kText ? &text_line : &json_line;
  const std::lock_guard lock(mutex_);
  const auto suppressed = admit(component, message, wall_ms / 1'000);
  if (!suppressed) return;
  if (*suppressed == 0) {
    write_all(descriptor_, line(wall_ms, level, component, message, details));
    return;
  }
  Details more = details;
  more.emplace_back("suppressed", std::to_string(*suppressed));
  write_all(descriptor_, line(wall_ms, level, component, message, more));
}

}  // namespace host
