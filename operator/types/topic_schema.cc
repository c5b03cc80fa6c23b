// The schema of Topic.
#include "operator/types/status_schema.h"
#include "operator/types/topic.h"

namespace kube {
namespace {

using namespace schema;

Json spec() {
  Json out = object(
      "What is wanted.",
      {{"clusterRef",
        with_rule(
            object("The Cluster, in the same namespace. Cannot be changed.",
                   {{"name", text("Its name.", {{"minLength", 1}, {"maxLength", 253}})}}, {"name"}),
            "self.name == oldSelf.name", "spec.clusterRef: cannot be changed")},
       {"topicName", text("The topic's name in the cluster, where it is not the resource's own. "
                          "Cannot be changed.",
                          {{"pattern", "^[a-zA-Z0-9._-]+$"}, {"maxLength", 249}})},
       {"partitions",
        integer("How many; the cluster's default when not given. May grow, never fall.",
                {{"minimum", 1}, {"maximum", 10000}})},
       {"replicationFactor",
        integer("Replicas of each partition; the cluster's default when not given.",
                {{"minimum", 1}, {"maximum", 100}})},
       {"config", map("The topic's configs, by Kafka's names. Those that are not named here are "
                      "left as they are.",
                      scalar(""), {{"maxProperties", 100}})},
       {"deletionPolicy",
        choice("Retain leaves the topic and its records when the resource is deleted; Delete "
               "deletes them.",
               {"Retain", "Delete"}, "Retain")}},
      {"clusterRef"});
  out = with_rule(out,
                  "has(self.topicName) == has(oldSelf.topicName) && "
                  "(!has(self.topicName) || self.topicName == oldSelf.topicName)",
                  "spec.topicName: cannot be changed; make another Topic");
  return with_rule(out,
                   "!has(self.partitions) || !has(oldSelf.partitions) || "
                   "self.partitions >= oldSelf.partitions",
                   "spec.partitions: cannot be lowered, records would be lost");
}

Json make() {
  return object(
      "A topic of a Moldau cluster.",
      {{"spec", spec()},
       {"status",
        status_schema(
            {{"topicId", text("The topic's identity in the cluster.")},
             {"topicName", text("The topic's name in the cluster.")},
             {"partitions", integer("How many there are.")},
             {"replicationFactor", integer("Replicas of each partition.")},
             {"configKeys", list("Configs that the operator has set, and will reset when they "
                                 "leave the spec.",
                                 text(""), {{"x-kubernetes-list-type", "set"}})}})}},
      {"spec"});
}

}  // namespace

const Json& topic_schema() {
  static const Json kSchema = make();
  return kSchema;
}

}  // namespace kube
