// OffsetFetch 1-10. Up to version 7 one group; later several, and from 10 topics by id. Null topics
// mean all that have an offset.
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using RequestGroup = wire::OffsetFetchRequest::OffsetFetchRequestGroup;
using ResponseGroup = wire::OffsetFetchResponse::OffsetFetchResponseGroup;
using ResponseTopic = wire::OffsetFetchResponse::OffsetFetchResponseTopics;
using ResponsePartition = wire::OffsetFetchResponse::OffsetFetchResponsePartitions;

constexpr std::int16_t kTopLevelErrorSince = 2;
constexpr std::int16_t kBatchSince = 8;
constexpr std::int16_t kTopicIdSince = 10;

ResponsePartition nothing(std::int32_t partition, ErrorCode error) {
  return {.partition_index = partition,
          .committed_offset = -1,
          .committed_leader_epoch = -1,
          .metadata = "",
          .error_code = error};
}

// The newer form of an older request.
RequestGroup only_group(const wire::OffsetFetchRequest& request) {
  RequestGroup group{.group_id = request.group_id};
  group.topics.reset();
  if (!request.topics) return group;
  group.topics.emplace();
  for (const auto& topic : *request.topics) {
    group.topics->push_back({.name = topic.name, .partition_indexes = topic.partition_indexes});
  }
  return group;
}

// The older form of the response.
wire::OffsetFetchResponse flattened(const wire::OffsetFetchResponse& batch) {
  wire::OffsetFetchResponse out;
  const ResponseGroup& only = batch.groups.front();
  out.error_code = only.error_code;
  for (const ResponseTopic& topic : only.topics) {
    auto& to = out.topics.emplace_back();
    to.name = topic.name;
    for (const ResponsePartition& partition : topic.partitions) {
      to.partitions.push_back({.partition_index = partition.partition_index,
                               .committed_offset = partition.committed_offset,
                               .committed_leader_epoch = partition.committed_leader_epoch,
                               .metadata = partition.metadata,
                               .error_code = partition.error_code});
    }
  }
  return out;
}

// One group's part of the request on its way.
struct Asked {
  RequestGroup request;
  std::int16_t version = 0;
  meta::ImagePtr image;
  bool require_stable = false;

  bool by_id() const { return version >= kTopicIdSince; }
  const meta::Topic* find(const wire::OffsetFetchRequest::OffsetFetchRequestTopics& topic) const {
    return by_id() ? image->topic(topic.topic_id) : image->topic(topic.name);
  }
};

group::FetchOffsets to_fetch(const Asked& asked) {
  group::FetchOffsets fetch{.group_id = asked.request.group_id,
                            .all = !asked.request.topics.has_value(),
                            .require_stable = asked.require_stable,
                            .partitions = {},
                            .member_id = asked.request.member_id,
                            .member_epoch = asked.request.member_epoch};
  if (fetch.all) return fetch;
  for (const auto& topic : *asked.request.topics) {
    const meta::Topic* known = asked.find(topic);
    // By name an offset may be read though its topic is gone or not known here yet.
    if (known == nullptr && asked.by_id()) continue;
    for (const std::int32_t partition : topic.partition_indexes) {
      fetch.partitions.push_back({.at = {known != nullptr ? known->name : topic.name, partition},
                                  .topic_id = known != nullptr ? known->id : base::Uuid{}});
    }
  }
  return fetch;
}

ResponsePartition found(const group::FetchedOffset& offset) {
  return {.partition_index = offset.at.partition,
          .committed_offset = offset.offset,
          .committed_leader_epoch = offset.leader_epoch,
          .metadata = offset.metadata,
          .error_code = offset.error};
}

// The answers come in the order of to_fetch().
void put_asked(const Asked& asked, const group::FetchedOffsets& fetched, ResponseGroup& to) {
  std::size_t next = 0;
  for (const auto& topic : *asked.request.topics) {
    const bool is_unknown = asked.by_id() && asked.find(topic) == nullptr;
    auto& out = to.topics.emplace_back();
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    for (const std::int32_t partition : topic.partition_indexes) {
      out.partitions.push_back(is_unknown ? nothing(partition, ErrorCode::kUnknownTopicId)
                                          : found(fetched.partitions[next++]));
    }
  }
}

// They come sorted by topic. What was committed for a topic that had the name before is left out.
void put_all(const Asked& asked, const group::FetchedOffsets& fetched, ResponseGroup& to) {
  const std::string* last = nullptr;
  for (const group::FetchedOffset& offset : fetched.partitions) {
    const meta::Topic* known = asked.image->topic(offset.at.topic);
    if (known == nullptr && asked.by_id()) continue;
    if (known != nullptr && !offset.topic_id.is_zero() && known->id != offset.topic_id) continue;
    if (last == nullptr || *last != offset.at.topic) {
      auto& out = to.topics.emplace_back();
      out.name = offset.at.topic;
      if (known != nullptr) out.topic_id = known->id;
      last = &offset.at.topic;
    }
    to.topics.back().partitions.push_back(found(offset));
  }
}

void put_error(const Asked& asked, ErrorCode error, ResponseGroup& to) {
  to.error_code = error;
  if (asked.version >= kTopLevelErrorSince || !asked.request.topics) return;
  for (const auto& topic : *asked.request.topics) {
    auto& out = to.topics.emplace_back();
    out.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes) {
      out.partitions.push_back(nothing(partition, error));
    }
  }
}

void put(const Asked& asked, const GroupAnswer& answer, ResponseGroup& to) {
  const ErrorCode error = answer ? std::get<group::FetchedOffsets>(*answer).error : answer.error();
  if (error != ErrorCode::kNone) return put_error(asked, error, to);
  const auto& fetched = std::get<group::FetchedOffsets>(*answer);
  if (asked.request.topics) {
    put_asked(asked, fetched, to);
  } else {
    put_all(asked, fetched, to);
  }
}

struct Pending {
  Reply<wire::OffsetFetchResponse> reply;
  wire::OffsetFetchResponse response;
  std::size_t missing = 1;

  void one_done() {
    if (--missing > 0) return;
    const bool is_batch = reply.version() >= kBatchSince;
    reply(is_batch ? response : flattened(response));
  }
};

}  // namespace

void offset_fetch(Context& context, const wire::OffsetFetchRequest& request,
                  Reply<wire::OffsetFetchResponse> reply) {
  const std::vector<RequestGroup> groups =
      context.version >= kBatchSince ? request.groups : std::vector{only_group(request)};
  auto all = std::make_shared<Pending>(Pending{.reply = std::move(reply), .response = {}});
  all->response.groups.resize(groups.size());
  const auto image = context.node.image();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    all->response.groups[i].group_id = groups[i].group_id;
    Asked asked{.request = groups[i],
                .version = context.version,
                .image = image,
                .require_stable = request.require_stable};
    group::FetchOffsets fetch = to_fetch(asked);
    ++all->missing;
    context.node.groups->ask(groups[i].group_id, group_caller(context), std::move(fetch),
                             [all, i, asked = std::move(asked)](GroupAnswer answer) {
                               put(asked, answer, all->response.groups[i]);
                               all->one_done();
                             });
  }
  all->one_done();
}

}  // namespace broker::api
