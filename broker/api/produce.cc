#include "broker/api/produce.h"

#include <algorithm>

#include "broker/api/leader_hints.h"
#include "broker/node/stats.h"
#include "common/record/batch_view.h"
#include "common/record/validate.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kAcksAll = -1;
// The only client that may write to internal topics (Kafka's own tools set it).
constexpr std::string_view kInternalClient = "__admin_client";

}  // namespace

std::shared_ptr<ProduceOperation> ProduceOperation::parse(Context& context, wire::Reader& body,
                                                          PendingReply reply) {
  auto operation = std::make_shared<ProduceOperation>(context, std::move(reply));
  if (!operation->request_.decode(body, context.version)) {
    operation->reply_.forget();
    return nullptr;
  }
  return operation;
}

ProduceOperation::ProduceOperation(Context& context, PendingReply reply)
    : node_(context.node),
      reactor_(context.reactor),
      client_id_(context.client_id),
      listener_(context.listener),
      reply_(std::move(reply.target), reply.slot, reply.correlation_id, reply.version) {}

void ProduceOperation::refuse(Item& item, ErrorCode error, std::string message) {
  item.append.error = error;
  item.append.message = std::move(message);
}

void ProduceOperation::check(Node& node) {
  const auto table = node.partitions->snapshot();
  const bool by_id = reply_.version() >= 13;
  std::size_t count = 0;
  for (const auto& topic : request_.topic_data) count += topic.partition_data.size();
  items_.reserve(count);
  for (std::size_t t = 0; t < request_.topic_data.size(); ++t) {
    auto& topic = request_.topic_data[t];
    const TopicPartitions* found = by_id ? table->find(topic.topic_id) : table->find(topic.name);
    for (auto& data : topic.partition_data) {
      Item& item = items_.emplace_back();
      item.topic = t;
      item.index = data.index;
      if (request_.acks != 0 && request_.acks != 1 && request_.acks != kAcksAll) {
        refuse(item, ErrorCode::kInvalidRequiredAcks);
      } else if (found == nullptr) {
        refuse(item, by_id ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition);
      } else if (meta::is_internal_topic(found->name) && client_id_ != kInternalClient) {
        refuse(item, ErrorCode::kInvalidTopicException,
               found->name + " is written by the broker only");
      } else if (data.index < 0 ||
                 static_cast<std::size_t>(data.index) >= found->partitions.size()) {
        refuse(item, ErrorCode::kUnknownTopicOrPartition);
      } else if (found->partitions[static_cast<std::size_t>(data.index)] == nullptr) {
        refuse(item, ErrorCode::kNotLeaderOrFollower);
      } else {
        item.partition = found->partitions[static_cast<std::size_t>(data.index)];
        check_batch(node, item, data.records);
      }
    }
  }
}

void ProduceOperation::check_batch(Node& node, Item& item, const wire::Records& records) {
  const auto config = item.partition->config();
  // The frame belongs to this connection until the run is over: stamping it in place is the point.
  item.append.batch = {const_cast<std::byte*>(records.bytes.data()), records.bytes.size()};
  auto checked = record::validate_produce(
      item.append.batch, config->validate_options(reply_.version(), node.clock.wall_ms()));
  if (!checked) {
    refuse(item, checked.error().code, std::move(checked.error().message));
    for (auto& bad : checked.error().records) {
      item.record_errors.push_back(
          {.batch_index = bad.index, .batch_index_error_message = std::move(bad.message)});
    }
    return;
  }
  if (!checked->rewritten.empty()) {
    item.append.rewritten = std::move(checked->rewritten);
    item.append.batch = item.append.rewritten;
  }
  const auto view = *record::BatchView::parse(item.append.batch);
  item.append.acks_all = request_.acks == kAcksAll;
  reactor_.stats->batches_in.add(1);
  reactor_.stats->records_in.add(static_cast<std::uint64_t>(view.count()));
  item.fit = !view.is_transactional() || !needs_verification(item, view);
}

void run_produce_operations(Node& node, std::span<const std::shared_ptr<ProduceOperation>> run) {
  const auto now = node.clock.wall_ms();
  for (const auto& operation : run) operation->check(node);
  if (run.size() == 1 && run[0]->items_.size() == 1) {
    auto& item = run[0]->items_[0];
    if (item.fit) item.partition->append(item.append, now);
  } else {
    struct Append {
      Partition* partition;
      std::size_t arrival;  // batches of one partition keep their order
      BatchAppend* batch;
    };
    std::vector<Append> appends;
    for (const auto& operation : run) {
      for (auto& item : operation->items_) {
        if (item.fit) appends.push_back({item.partition.get(), appends.size(), &item.append});
      }
    }
    std::ranges::sort(appends, {}, [](const Append& each) {
      return std::tuple(each.partition->topic_id(), each.partition->index(), each.arrival);
    });
    std::vector<BatchAppend*> group;
    for (std::size_t i = 0; i < appends.size();) {
      group.clear();
      Partition* partition = appends[i].partition;
      for (; i < appends.size() && appends[i].partition == partition; ++i) {
        group.push_back(appends[i].batch);
      }
      partition->append(group, now);
    }
  }
  for (const auto& operation : run) operation->settle();
}

void ProduceOperation::settle() {
  if (unverified_ > 0) return stand_in_line();
  if (request_.acks == 0) return answer_without_response();
  if (request_.acks == kAcksAll) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      Item& item = items_[i];
      if (!item.fit || item.append.error != ErrorCode::kNone) continue;
      if (!item.partition->await_committed(item.append.end_offset, reactor_.executor,
                                           shared_from_this(), i)) {
        item.waiting = true;
        ++waiting_;
      }
    }
  }
  if (waiting_ == 0) return answer();
  timeout_.on_fire([this] { on_timeout(); });
  reactor_.executor.timers().set(
      timeout_,
      reactor_.executor.now() + std::chrono::milliseconds(std::max(0, request_.timeout_ms)));
}

void ProduceOperation::on_partition_event(std::uint64_t tag, ErrorCode error) {
  Item& item = items_[tag];
  if (std::exchange(item.in_line, false)) {
    if (--in_line_ == 0 || error != ErrorCode::kNone) on_turn(error);
    return;
  }
  if (answered_ || !std::exchange(item.waiting, false)) return;
  if (error != ErrorCode::kNone) refuse(item, error);
  if (--waiting_ == 0) answer();
}

void ProduceOperation::on_timeout() {
  auto self = shared_from_this();  // the partitions may hold the last other reference
  for (auto& item : items_) {
    if (!item.waiting) continue;
    item.partition->stop_waiting(this);
    refuse(item, ErrorCode::kRequestTimedOut);
  }
  answer();
}

void ProduceOperation::answer_without_response() {
  answered_ = true;
  for (const auto& item : items_) {
    if (item.append.error == ErrorCode::kNone) continue;
    // The client waits for nothing: closing is the only way to tell it (as Kafka does).
    const std::string topic = request_.topic_data[item.topic].name;
    return reply_.close_connection("Produce with acks=0 to " + topic + "-" +
                                   std::to_string(item.index) +
                                   " failed: " + std::string(wire::name(item.append.error)));
  }
  reply_.silently();
}

// Says who leads (KIP-951).
void ProduceOperation::hint(const Item& item, wire::ProduceResponse& response,
                            wire::ProduceResponse::PartitionProduceResponse& out) const {
  if (reply_.version() < 10 || !LeaderHints::wants(out.error_code)) return;
  const auto& topic = response.responses[item.topic];
  LeaderHints(node_, listener_)
      .add(topic.topic_id, topic.name, item.index, out.current_leader, response.node_endpoints);
}

void ProduceOperation::answer() {
  answered_ = true;
  timeout_.cancel();
  wire::ProduceResponse response;
  response.responses.resize(request_.topic_data.size());
  for (std::size_t t = 0; t < request_.topic_data.size(); ++t) {
    auto& topic = request_.topic_data[t];
    response.responses[t].name = std::move(topic.name);
    response.responses[t].topic_id = topic.topic_id;
    response.responses[t].partition_responses.reserve(topic.partition_data.size());
  }
  for (auto& item : items_) {
    auto& out = response.responses[item.topic].partition_responses.emplace_back();
    out.index = item.index;
    out.error_code = item.append.error;
    out.record_errors = std::move(item.record_errors);
    if (item.append.error != ErrorCode::kNone) {
      out.base_offset = -1;
      reactor_.stats->produce_refused.add(1);
      hint(item, response, out);
      if (!item.append.message.empty()) out.error_message = std::move(item.append.message);
      continue;
    }
    out.base_offset = item.append.base_offset.value();
    out.log_append_time_ms = item.append.log_append_time;
    out.log_start_offset = item.append.log_start.value();
  }
  reply_(response);
}

}  // namespace broker::api
