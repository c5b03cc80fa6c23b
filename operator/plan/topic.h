// Plans for a Topic: from what is wanted (its spec) and what there is to the next steps. Pure and
// without memory. Rules: docs/operator.md.
#pragma once

#include <string>

#include "common/base/time.h"
#include "operator/plan/action.h"
#include "operator/plan/observed.h"

namespace kube {

// On a Topic with deletionPolicy Delete, so that its topic is deleted before it goes.
inline constexpr const char* kTopicFinalizer = "moldau.dev/topic";

// `now` is for conditions only. A spec that is not valid makes a plan that says so in the status
// and touches nothing else.
Plan plan_topic(const TopicHave& have, base::WallMs now);

// The name of the topic in the cluster: spec.topicName, or the resource's own. And of the Cluster.
std::string topic_name(const Json& topic);
std::string cluster_of_topic(const Json& topic);

}  // namespace kube
