#include "cli/client/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/client/interrupt.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/metadata_request.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

// One connection attempt; the next address may be the one that answers.
constexpr milliseconds kConnectWait{5000};
// How long nobody answering at all is put up with: long enough for a broker that is just starting.
constexpr milliseconds kBootstrapWait{3000};
constexpr milliseconds kPauseMax{1000};

std::string list_of(const std::vector<Address>& addresses) {
  std::string text;
  for (const Address& address : addresses) {
    if (!text.empty()) text += ", ";
    text += address.to_string();
  }
  return text;
}

}  // namespace

Cluster::Cluster(Options options)
    : options_(std::move(options)),
      random_(static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count())) {}

void Cluster::Patience::after(const Trouble& trouble) {
  if (interrupted()) throw Interrupted{};
  Deadline until = cluster_.ever_connected_
                       ? until_
                       : until_.within(std::max(kBootstrapWait - pause_ * 2, milliseconds(0)));
  if (!trouble.retriable) throw Failure(trouble.what, trouble.hint);
  if (until.left() <= pause_) {
    std::string what = trouble.what;
    if (cluster_.ever_connected_ && trouble.code != wire::ErrorCode::kNone) {
      what += fmt::format("; gave up after {} s", cluster_.options_.timeout.count() / 1000);
    }
    throw Failure(std::move(what), trouble.hint);
  }
  // Half of it at random, so that many clients do not come back together.
  auto half = static_cast<std::uint64_t>(pause_.count() / 2);
  pause_for(milliseconds(half + cluster_.random_.below(half + 1)));
  if (interrupted()) throw Interrupted{};
  pause_ = std::min(pause_ * 2, kPauseMax);
}

Try<Connection*> Cluster::connect(const Target& target, Deadline deadline, int lane) {
  switch (target.kind) {
    case Target::Kind::kAny:
      return any(deadline);
    case Target::Kind::kBroker:
      return broker(target.broker, deadline, lane);
    case Target::Kind::kController:
      return controller(deadline, lane);
    case Target::Kind::kCoordinator:
    case Target::Kind::kTransaction:
      return coordinator(target, deadline, lane);
  }
  return std::unexpected(Trouble{"no such target", {}, false});
}

Try<Connection*> Cluster::any(Deadline deadline) {
  if (bootstrap_ && !bootstrap_->broken()) return bootstrap_.get();
  for (auto& [key, connection] : connections_) {
    if (key.first == 0 && connection && !connection->broken()) return connection.get();
  }
  std::vector<Address> candidates = options_.bootstrap;
  for (const auto& [id, address] : brokers_) {
    if (std::ranges::find(candidates, address) == candidates.end()) candidates.push_back(address);
  }
  Trouble last{"no broker address is known", {}, false};
  for (const Address& address : candidates) {
    auto opened = Connection::open(address, deadline.within(kConnectWait));
    if (opened) {
      ever_connected_ = true;
      bootstrap_ = std::move(*opened);
      return bootstrap_.get();
    }
    last = opened.error();
  }
  if (!ever_connected_ && last.retriable) {
    if (options_.bootstrap.size() > 1) {
      last.what = fmt::format("none of {} answers; {}", list_of(options_.bootstrap), last.what);
    }
    last.hint =
        "is it running? `moldau dev` starts a broker; --brokers or MOLDAU_BROKERS says where";
  }
  return std::unexpected(std::move(last));
}

Try<Address> Cluster::address_of(std::int32_t id, Deadline deadline) {
  if (auto known = brokers_.find(id); known != brokers_.end()) return known->second;
  if (auto refreshed = try_metadata(std::vector<std::string>(), false, deadline); !refreshed) {
    return std::unexpected(refreshed.error());
  }
  if (auto known = brokers_.find(id); known != brokers_.end()) return known->second;
  return std::unexpected(Trouble{fmt::format("broker {} is not in the cluster now", id),
                                 "see `moldau cluster info`", true});
}

Try<Connection*> Cluster::broker(std::int32_t id, Deadline deadline, int lane) {
  auto& connection = connections_[{lane, id}];
  if (connection && !connection->broken()) return connection.get();
  connection.reset();
  auto address = address_of(id, deadline);
  if (!address) return std::unexpected(address.error());
  auto opened = Connection::open(*address, deadline.within(kConnectWait));
  if (opened) {
    connection = std::move(*opened);
    return connection.get();
  }
  brokers_.erase(id);  // it may have moved: ask again
  Trouble trouble = opened.error();
  if (std::ranges::find(options_.bootstrap, *address) == options_.bootstrap.end()) {
    trouble.hint = fmt::format("broker {} tells clients to use {}: check its advertised.listeners",
                               id, address->to_string());
  }
  return std::unexpected(std::move(trouble));
}

Try<Connection*> Cluster::controller(Deadline deadline, int lane) {
  if (!controller_) {
    auto refreshed = try_metadata(std::vector<std::string>(), false, deadline);
    if (!refreshed) return std::unexpected(refreshed.error());
  }
  // Without a named controller any broker passes the request on.
  if (!controller_) return any(deadline);
  return broker(*controller_, deadline, lane);
}

Try<Connection*> Cluster::coordinator(const Target& target, Deadline deadline, int lane) {
  const std::pair key{target.kind, target.name};
  auto known = coordinators_.find(key);
  if (known == coordinators_.end()) {
    auto found = find_coordinator(target, deadline);
    if (!found) return std::unexpected(found.error());
    known = coordinators_.emplace(key, *found).first;
  }
  auto connection = broker(known->second, deadline, lane);
  if (!connection) coordinators_.erase(key);
  return connection;
}

Try<std::int32_t> Cluster::find_coordinator(const Target& target, Deadline deadline) {
  const bool is_group = target.kind == Target::Kind::kCoordinator;
  const std::string subject = (is_group ? "group " : "transactional id ") + target.name;
  auto connection = any(deadline);
  if (!connection) return std::unexpected(connection.error());
  wire::FindCoordinatorRequest request;
  request.key = target.name;
  request.key_type = is_group ? 0 : 1;
  request.coordinator_keys = {target.name};
  Versions versions;
  if (!is_group) versions.min = 1;
  auto reply = exchange<wire::FindCoordinatorResponse>(**connection, request, deadline, versions);
  if (!reply) return std::unexpected(reply.error());
  wire::FindCoordinatorResponse& body = reply->body;
  if (reply->version < 4) {
    body.coordinators = {{.key = target.name,
                          .node_id = body.node_id,
                          .host = body.host,
                          .port = body.port,
                          .error_code = body.error_code,
                          .error_message = body.error_message}};
  }
  if (body.coordinators.empty()) {
    return std::unexpected(Trouble{subject + ": no coordinator named", {}, true});
  }
  const auto& found = body.coordinators.front();
  if (found.error_code != wire::ErrorCode::kNone) {
    return std::unexpected(refusal(subject, found.error_code, found.error_message));
  }
  brokers_[found.node_id] = {found.host, static_cast<std::uint16_t>(found.port)};
  return found.node_id;
}

Try<wire::MetadataResponse> Cluster::try_metadata(
    const std::optional<std::vector<std::string>>& topics, bool create_missing, Deadline deadline) {
  auto connection = any(deadline);
  if (!connection) return std::unexpected(connection.error());
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = create_missing;
  request.topics.reset();
  if (topics) {
    auto& wanted = request.topics.emplace();
    for (const std::string& name : *topics) wanted.emplace_back().name = name;
  }
  // From version 4 on a request can forbid that asking creates the topic.
  auto reply = exchange<wire::MetadataResponse>(**connection, request, deadline, {.min = 4});
  if (!reply) return std::unexpected(reply.error());
  if (reply->body.error_code != wire::ErrorCode::kNone) {
    return std::unexpected(refusal("cluster", reply->body.error_code));
  }
  brokers_.clear();
  for (const auto& node : reply->body.brokers) {
    brokers_[node.node_id] = {node.host, static_cast<std::uint16_t>(node.port)};
  }
  controller_.reset();
  if (reply->body.controller_id >= 0) controller_ = reply->body.controller_id;
  return std::move(reply->body);
}

wire::MetadataResponse Cluster::metadata(const std::optional<std::vector<std::string>>& topics,
                                         bool create_missing) {
  return retry(deadline(),
               [&](Deadline until) { return try_metadata(topics, create_missing, until); });
}

Try<TopicInfo> Cluster::try_topic(const std::string& name, bool create_missing, Deadline deadline) {
  auto answer = try_metadata(std::vector{name}, create_missing, deadline);
  if (!answer) return std::unexpected(answer.error());
  if (answer->topics.size() != 1) {
    return std::unexpected(Trouble{fmt::format("topic {}: no answer about it", name), {}, true});
  }
  const auto& found = answer->topics.front();
  if (found.error_code != wire::ErrorCode::kNone) {
    return std::unexpected(refusal("topic " + name, found.error_code));
  }
  TopicInfo topic{.name = name, .id = found.topic_id, .partitions = {}};
  topic.partitions.resize(found.partitions.size());
  bool has_leader = false;
  for (const auto& partition : found.partitions) {
    auto index = static_cast<std::size_t>(partition.partition_index);
    if (index >= topic.partitions.size()) {
      return std::unexpected(
          Trouble{fmt::format("topic {}: partitions are missing in the answer", name), {}, true});
    }
    topic.partitions[index] = {partition.leader_id, partition.leader_epoch};
    has_leader = has_leader || partition.leader_id >= 0;
  }
  if (!has_leader) {
    return std::unexpected(refusal("topic " + name, wire::ErrorCode::kLeaderNotAvailable));
  }
  return topic;
}

TopicInfo Cluster::topic(const std::string& name, bool create_missing) {
  // A broker that creates topics on demand says "unknown" first and makes it meanwhile.
  Deadline creation = deadline().within(milliseconds(3000));
  return retry(deadline(), [&](Deadline until) {
    auto found = try_topic(name, create_missing, until);
    if (!found && create_missing && !creation.passed() &&
        found.error().code == wire::ErrorCode::kUnknownTopicOrPartition) {
      found.error().retriable = true;
    }
    return found;
  });
}

void Cluster::forget_after(const Target& target, const Trouble& trouble) {
  using enum wire::ErrorCode;
  if (trouble.code == kNotController) controller_.reset();
  if (trouble.code == kNotCoordinator || trouble.code == kCoordinatorNotAvailable) {
    coordinators_.erase({target.kind, target.name});
  }
}

}  // namespace cli
