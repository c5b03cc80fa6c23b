#include "cli/client/trouble.h"

#include <fmt/format.h>

namespace cli {

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
  switch (code) {
    using enum wire::ErrorCode;
    case kUnknownTopicOrPartition:
    case kUnknownTopicId:
      return "see what there is with `moldau topic list`; make a topic with `moldau topic create`";
    case kTopicAlreadyExists:
      return "add --if-not-exists to accept that";
    case kInvalidTopicException:
      return "a name has 1 to 249 letters, digits, '.', '_' or '-'";
    case kInvalidReplicationFactor:
      return "a topic has at most one replica on each broker: see `moldau cluster info`";
    case kMessageTooLarge:
      return "the topic's max.message.bytes is the limit: raise it with `moldau config set topic`";
    case kNotEnoughReplicas:
    case kNotEnoughReplicasAfterAppend:
      return "too few replicas are in sync: see `moldau topic describe`";
    case kNonEmptyGroup:
      return "stop the group's consumers first: see `moldau group describe`";
    case kGroupIdNotFound:
      return "see what there is with `moldau group list`";
    case kInvalidConfig:
      return "see the names and values with `moldau config get`";
    case kOffsetOutOfRange:
      return "see the first and last offsets with `moldau topic describe`";
    case kLeaderNotAvailable:
    case kNotLeaderOrFollower:
      return "the partition has no leader now: see `moldau topic describe`";
    case kTopicAuthorizationFailed:
    case kGroupAuthorizationFailed:
    case kClusterAuthorizationFailed:
      return "this client may not do that";
    case kKafkaStorageError:
      return "the broker's disk failed or is full: see the broker's log";
    default:
      return "";
  }
}

}  // namespace cli
