#include "cli/client/trouble.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace cli {
namespace {

struct Hint {
  wire::ErrorCode code;
  std::string_view text;
};

constexpr Hint kHints[] = {
    {wire::ErrorCode::kUnknownTopicOrPartition,
     "see what there is with `moldau topic list`; make a topic with `moldau topic create`"},
    {wire::ErrorCode::kUnknownTopicId,
     "see what there is with `moldau topic list`; make a topic with `moldau topic create`"},
    {wire::ErrorCode::kTopicAlreadyExists, "add --if-not-exists to accept that"},
    {wire::ErrorCode::kInvalidTopicException,
     "a name has 1 to 249 letters, digits, '.', '_' or '-'"},
    {wire::ErrorCode::kInvalidReplicationFactor,
     "a topic has at most one replica on each broker: see `moldau cluster info`"},
    {wire::ErrorCode::kMessageTooLarge,
     "the topic's max.message.bytes is the limit: raise it with `moldau config set topic`"},
    {wire::ErrorCode::kNotEnoughReplicas,
     "too few replicas are in sync: see `moldau topic describe`"},
    {wire::ErrorCode::kNotEnoughReplicasAfterAppend,
     "too few replicas are in sync: see `moldau topic describe`"},
    {wire::ErrorCode::kNonEmptyGroup,
     "stop the group's consumers first: see `moldau group describe`"},
    {wire::ErrorCode::kGroupIdNotFound, "see what there is with `moldau group list`"},
    {wire::ErrorCode::kInvalidConfig, "see the names and values with `moldau config get`"},
    {wire::ErrorCode::kOffsetOutOfRange,
     "see the first and last offsets with `moldau topic describe`"},
    {wire::ErrorCode::kLeaderNotAvailable,
     "the partition has no leader now: see `moldau topic describe`"},
    {wire::ErrorCode::kNotLeaderOrFollower,
     "the partition has no leader now: see `moldau topic describe`"},
    {wire::ErrorCode::kTopicAuthorizationFailed, "this client may not do that"},
    {wire::ErrorCode::kGroupAuthorizationFailed, "this client may not do that"},
    {wire::ErrorCode::kClusterAuthorizationFailed, "this client may not do that"},
    {wire::ErrorCode::kKafkaStorageError,
     "the broker's disk failed or is full: see the broker's log"},
};

}  // namespace

Trouble refusal(std::string_view subject, wire::ErrorCode code,
                const std::optional<std::string>& message) {
  using enum wire::ErrorCode;
  bool told = message && !message->empty();
  std::string_view text = told ? std::string_view(*message) : wire::default_message(code);
  while (text.ends_with('.')) text.remove_suffix(1);
  std::string name(wire::name(code));
  if (name == "UNKNOWN_ERROR_CODE") name = fmt::format("error {}", static_cast<int>(code));
  Trouble trouble;
  if (code == kUnknownTopicOrPartition && !told) {
    trouble.what = fmt::format("{} does not exist ({})", subject, name);
  } else if (text.empty()) {
    trouble.what = fmt::format("{}: {}", subject, name);
  } else {
    trouble.what = fmt::format("{}: {} ({})", subject, text, name);
  }
  trouble.hint = hint_for(code);
  trouble.retriable = wire::retriable(code) && code != kUnknownTopicOrPartition;
  trouble.code = code;
  return trouble;
}

std::string_view hint_for(wire::ErrorCode code) {
  auto found = std::ranges::find(kHints, code, &Hint::code);
  return found == std::end(kHints) ? "" : found->text;
}

}  // namespace cli
