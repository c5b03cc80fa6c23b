// Any bytes as any message: two bytes pick the message, one its version, the rest is the
// message. What decodes must encode, and that must decode to an equal message. Found crashes and
// slow inputs go to corpus/wire with the fix.
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/check.h"
#include "common/wire/codec_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::span<const wire::Codec> codecs = wire::all_codecs();
  const wire::Codec& codec = codecs[(data[0] * 256U + data[1]) % codecs.size()];
  int versions = codec.version_max - codec.version_min + 1;
  auto version = static_cast<std::int16_t>(codec.version_min + data[2] % versions);
  base::BytesView bytes = std::as_bytes(std::span(data, size)).subspan(3);

  wire::Writer out;
  wire::Recoded recoded = codec.recode(bytes, version, out);
  CHECK(recoded.consumed <= bytes.size());
  CHECK(recoded.decoded == recoded.error.empty());
  // A NaN is unequal to itself, so messages with floats are only run.
  bool has_float = codec.name.find("ClientQuotas") != std::string_view::npos;
  CHECK(!recoded.decoded || recoded.same || has_float);
  return 0;
}
