// Frames that real clients sent (testdata/frames, one file a client, kept by
// tests/client/capture.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/wire/codec.h"
#include "common/wire/codec_table.h"
#include "common/wire/frame.h"
#include "common/wire/test_hex.h"

namespace wire {
namespace {

std::vector<std::pair<std::string, base::Bytes>> captured_frames() {
  std::vector<std::pair<std::string, base::Bytes>> frames;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("testdata/frames")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      frames.emplace_back(file.filename().string(), from_hex(line));
    }
  }
  return frames;
}

const Codec* request_codec(std::int16_t key) {
  for (const Codec& codec : all_codecs()) {
    if (codec.kind == "request" && codec.key == key) return &codec;
  }
  return nullptr;
}

// Goal: what clients really send is understood to the last byte, and we would write the same.
// Method: every captured frame is decoded, encoded again and compared.
TEST(CapturedFrames, AreUnderstoodToTheLastByte) {
  const auto frames = captured_frames();
  ASSERT_GE(frames.size(), 25u);
  for (const auto& [file, frame] : frames) {
    Reader in(frame);
    RequestHeader header;
    ASSERT_EQ(decode_request_header(in, header), HeaderResult::kOk) << file << ": " << in.error();
    const Codec* codec = request_codec(header.api_key);
    ASSERT_NE(codec, nullptr) << file;
    SCOPED_TRACE(file + ": " + std::string(codec->name) + " version " +
                 std::to_string(header.api_version));
    const base::BytesView body = base::BytesView(frame).subspan(in.offset());
    Writer out;
    const Recoded recoded = codec->recode(body, header.api_version, out);
    EXPECT_TRUE(recoded.decoded) << recoded.error;
    EXPECT_EQ(recoded.consumed, body.size());
    EXPECT_TRUE(recoded.same);
    EXPECT_EQ(to_hex(out.bytes()), to_hex(body));
  }
}

}  // namespace
}  // namespace wire
