#include <map>

#include "common/meta/apply.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {

Decision<proto::DeleteTopicsReply> delete_topics(const proto::DeleteTopicsRequest& request,
                                                 const meta::Image& image) {
  Decision<proto::DeleteTopicsReply> out;
  // A topic named twice, be it once by name and once by id, is deleted by none of them.
  std::map<base::Uuid, int> times;
  const auto find = [&](const proto::DeleteTopicsRequest::Topic& topic) {
    return topic.has_topic_id() ? image.topic(meta::from_proto(topic.topic_id()))
                                : image.topic(topic.name());
  };
  for (const auto& topic : request.topics()) {
    if (const meta::Topic* found = find(topic)) ++times[found->id];
  }
  for (const auto& topic : request.topics()) {
    auto* reply = out.reply.add_topics();
    const meta::Topic* found = find(topic);
    if (topic.has_topic_id()) *reply->mutable_topic_id() = topic.topic_id();
    if (topic.has_name()) reply->set_name(topic.name());
    if (!found) {
      set_error(reply->mutable_error(),
                topic.has_topic_id()
                    ? Refusal{wire::ErrorCode::kUnknownTopicId, "No topic has this id."}
                    : Refusal{wire::ErrorCode::kUnknownTopicOrPartition,
                              "No such topic or partition is known."});
      continue;
    }
    if (times[found->id] > 1) {
      set_error(reply->mutable_error(), {wire::ErrorCode::kInvalidRequest,
                                         topic.has_topic_id() ? "The topic id is given twice."
                                                              : "The topic is named twice."});
      continue;
    }
    reply->set_name(found->name);
    meta::to_proto(found->id, reply->mutable_topic_id());
    meta::to_proto(found->id,
                   out.records.emplace_back().mutable_remove_topic()->mutable_topic_id());
  }
  return out;
}

}  // namespace controller::cluster
