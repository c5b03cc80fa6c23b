// Rules that several decisions share: topic names, manual assignments, new partitions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/meta/image.h"
#include "controller/cluster/verdict.h"
#include "proto/records.pb.h"

namespace controller::cluster {

using Replicas = std::vector<base::BrokerId>;

// Kafka's rules: 1 to 249 of [a-zA-Z0-9._-], neither "." nor "..".
Verdict<void> check_topic_name(std::string_view name);

// The brokers of one manually assigned partition: registered, distinct, at least one live.
// `expected_count` of 0 accepts any number.
Verdict<void> check_assignment(const Replicas& replicas, std::size_t expected_count,
                               const meta::Image& image);

// Automatic placement on the live brokers that are not draining, and as far as those are too few on
// brokers that are away; refuses what they cannot hold, and when nobody is there.
Verdict<std::vector<Replicas>> place_replicas(std::size_t partitions,
                                              std::size_t replication_factor,
                                              const meta::Image& image, base::Random& random);

// That new replicas may be placed on.
std::size_t live_brokers(const meta::Image& image);

// The record of a new partition: live replicas are in sync, the first of them leads.
proto::Record new_partition(base::Uuid topic, std::int32_t index, const Replicas& replicas,
                            const meta::Image& image);

}  // namespace controller::cluster
