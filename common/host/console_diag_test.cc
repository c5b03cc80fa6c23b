#include "common/host/console_diag.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "common/host/descriptor.h"

namespace host {
namespace {

struct FixedClock final : io::Clock {
  base::Instant now() const override { return {}; }
  base::WallMs wall_ms() const override { return wall; }
  base::WallMs wall = 1'769'860'800'123;  // 2026-01-31T12:00:00.123Z
};

class ConsoleDiagTest : public testing::Test {
 protected:
  ConsoleDiagTest() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    read_ = Descriptor(ends[0]);
    write_ = Descriptor(ends[1]);
  }
  ConsoleDiag make(ConsoleDiag::Format format) {
    return ConsoleDiag(clock_, {.format = format, .descriptor = write_.get()});
  }
  std::string written() {  // everything up to now; the writer ends
    write_.reset();
    std::string text(1 << 16, '\0');
    const ssize_t count = read(read_.get(), text.data(), text.size());
    text.resize(static_cast<std::size_t>(count));
    return text;
  }

  FixedClock clock_;
  Descriptor read_;
  Descriptor write_;
};

// Goal: JSON stays JSON whatever a client sends. Method: quotes, control characters and bytes that
// are not UTF-8 in a detail.
TEST_F(ConsoleDiagTest, EscapesJson) {
  auto diag = make(ConsoleDiag::Format::kJson);
  diag.warn("api", "bad client", {{"client", "a\"b\\c\n\x01\xff\xed\xa0\x80 \xc3\xa9"}});
  EXPECT_EQ(written(), R"({"ts":"2026-01-31T12:00:00.123Z","level":"warn","component":"api",)"
                       R"("msg":"bad client","client":"a\"b\\c\n\u0001\ufffd\ufffd\ufffd\ufffd é"})"
                       "\n");
}

// Goal: the text line, and no escape sequence reaches a terminal. Method: plain, spaced and empty
// values, an escape character.
TEST_F(ConsoleDiagTest, WritesText) {
  auto diag = make(ConsoleDiag::Format::kText);
  diag.info("log", "rolled", {{"topic", "a"}, {"why", "too big"}, {"x", ""}, {"id", "\x1b[2J"}});
  EXPECT_EQ(written(),
            "2026-01-31T12:00:00.123Z INFO  log: rolled topic=a why=\"too big\" x=\"\" "
            "id=\\u001b[2J\n");
}

// Goal: the level can change while it runs. Method: one line below, one at the level.
TEST_F(ConsoleDiagTest, HonoursTheLevel) {
  auto diag = make(ConsoleDiag::Format::kText);
  diag.debug("a", "unseen");
  diag.set_level(*ConsoleDiag::parse_level("debug"));
  diag.debug("a", "seen");
  EXPECT_EQ(written(), "2026-01-31T12:00:00.123Z DEBUG a: seen\n");
  EXPECT_FALSE(ConsoleDiag::parse_level("loud"));
}

// Goal: a flood of one message is counted, other messages pass. Method: 1,000 of one and one of
// another in a second, then one more in the next.
TEST_F(ConsoleDiagTest, CountsRepeats) {
  auto diag = make(ConsoleDiag::Format::kText);
  for (int i = 0; i < 1'000; ++i) diag.warn("a", "flood");
  diag.warn("a", "other");
  clock_.wall += 1'000;
  diag.warn("a", "flood");
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_TRUE(text.ends_with("12:00:01.123Z WARN  a: flood suppressed=990\n")) << text;
}

// Goal: lines of threads do not mix. Method: two threads, every line is whole.
TEST_F(ConsoleDiagTest, LinesStayWhole) {
  auto diag = make(ConsoleDiag::Format::kText);
  std::vector<std::thread> threads;
  for (const char* name : {"one", "two"}) {
    threads.emplace_back([&diag, name] {
      for (int i = 0; i < 300; ++i) diag.info(name, "message " + std::to_string(i));
    });
  }
  for (auto& thread : threads) thread.join();
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 600);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    EXPECT_EQ(text.substr(at, 11), "2026-01-31T");
  }
}

}  // namespace
}  // namespace host
