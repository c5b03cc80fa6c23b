// The schema of Cluster.
#include "operator/types/cluster.h"
#include "operator/types/status_schema.h"

namespace kube {
namespace {

using namespace schema;

constexpr std::string_view kSize = R"(^[1-9][0-9]*([KMGTPE]i?|k)?$)";

// Rules name the field by its full path: what an API server says is all that a person sees.
Json storage(const std::string& path) {
  Json out = object("The persistent volume of each node.",
                    {{"size", text("How large, as \"10Gi\". May grow where the class allows it.",
                                   {{"pattern", kSize}, {"maxLength", 20}, {"default", "10Gi"}})},
                     {"class", text("The StorageClass; the default one when not given.",
                                    {{"maxLength", 253}, {"minLength", 1}})}},
                    {}, {{"default", Json::object()}});
  out = with_rule(out,
                  "!has(self.size) || !has(oldSelf.size) || "
                  "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
                  path + ".storage.size: a volume cannot shrink");
  return with_rule(out,
                   "has(self.class) == has(oldSelf.class) && "
                   "(!has(self.class) || self.class == oldSelf.class)",
                   path + ".storage.class: cannot be changed; add a broker pool instead");
}

Json resources() {
  return object("Processor and memory of each node.",
                {{"requests", map("What the scheduler sets aside.", quantity(""))},
                 {"limits", map("What it may use at most.", quantity(""))}});
}

Json pod_template() {
  const Json labels = text("", {{"maxLength", 4096}});
  return object(
      "More of the Pods, under Kubernetes' names. A change restarts them, one by one.",
      {{"labels", map("More labels. Those of the operator win.", labels)},
       {"annotations", map("More annotations.", text("", {{"maxLength", 65536}}))},
       {"nodeSelector", map("Labels that a Node must have.", labels)},
       {"affinity", foreign_object("As in a Pod. When not given, nodes prefer different hosts.")},
       {"tolerations", foreign_list("As in a Pod.")},
       {"topologySpreadConstraints", foreign_list("As in a Pod.")},
       {"imagePullSecrets",
        keyed_list("Secrets to pull the image with.", "name",
                   object("", {{"name", text("", {{"maxLength", 253}})}}, {"name"}))},
       {"priorityClassName", text("As in a Pod.", {{"maxLength", 253}})},
       {"terminationGracePeriodSeconds",
        integer("How long a node may take to hand over its leaderships and end.",
                {{"minimum", 5}, {"maximum", 3600}, {"default", 60}})}},
      {}, {{"default", Json::object()}});
}

Json broker_fields(const std::string& path) {
  return object("", {{"replicas", integer("How many brokers.",
                                          {{"minimum", 1}, {"maximum", 200}, {"default", 3}})},
                     {"resources", resources()},
                     {"storage", storage(path)},
                     {"template", pod_template()}});
}

Json brokers() {
  Json out = broker_fields("spec.brokers");
  out["description"] = "The brokers, as a pool named broker.";
  out["default"] = Json::object();
  return out;
}

Json broker_pools() {
  Json pool = broker_fields("spec.brokerPools[]");
  pool["properties"]["name"] =
      text("The pool's name, part of its Pods' names.",
           {{"pattern", "^[a-z]([a-z0-9-]*[a-z0-9])?$"}, {"maxLength", 16}});
  pool["required"] = Json::array({"name"});
  pool = with_rule(pool, "!(self.name in ['broker', 'controller'])",
                   "spec.brokerPools[].name: broker and controller are taken");
  return keyed_list("More pools of brokers, with other resources or storage.", "name",
                    std::move(pool), {{"maxItems", 8}});
}

Json controllers() {
  return object(
      "The controllers: the quorum that holds the metadata.",
      {{"replicas", integer("How many: 1, 3 or 5.", {{"enum", {1, 3, 5}}, {"default", 3}})},
       {"resources", resources()},
       {"storage", storage("spec.controllers")},
       {"template", pod_template()}},
      {}, {{"default", Json::object()}});
}

Json listener() {
  Json out = object(
      "",
      {{"name", text("Its name.", {{"pattern", "^[a-z][a-z0-9]*$"}, {"maxLength", 12}})},
       {"port", integer("Where the brokers listen.", {{"minimum", 1024}, {"maximum", 32767}})},
       {"type", choice("internal: from within the Kubernetes cluster. nodePort, loadBalancer: from "
                       "outside, with a Service for each broker.",
                       {"internal", "nodePort", "loadBalancer"}, "internal")},
       {"advertisedHost",
        text("What clients are told, with {nodeId} for the broker's number, instead of the address "
             "that Kubernetes gives. Not of internal listeners.",
             {{"maxLength", 253}, {"pattern", R"(^[A-Za-z0-9.{}-]+$)"}})},
       {"advertisedPort",
        integer("What clients are told for broker 0; each broker adds its number. Not of internal "
                "listeners.",
                {{"minimum", 1}, {"maximum", 65000}})},
       {"annotations", map("Of the Services, for load balancers.", text("", {{"maxLength", 4096}}),
                           {{"maxProperties", 32}})}},
      {"name", "port"});
  out = with_rule(out, "!(self.port in [9091, 9094, 9644])",
                  "spec.listeners[].port: 9091, 9094 and 9644 are used by the cluster itself");
  out = with_rule(out, "!(self.name in ['internal', 'controller', 'http'])",
                  "spec.listeners[].name: internal, controller and http are taken");
  return with_rule(out,
                   "self.type != 'internal' || (!has(self.advertisedHost) && "
                   "!has(self.advertisedPort))",
                   "spec.listeners[].advertisedHost, advertisedPort: not of internal listeners");
}

Json listeners() {
  Json out = keyed_list(
      "Where clients connect. The first one is that of the Service "
      "<name>-bootstrap.",
      "name", listener(),
      {{"minItems", 1},
       {"maxItems", 6},
       {"default", Json::array({{{"name", "client"}, {"port", 9092}, {"type", "internal"}}})}});
  out = with_rule(out, "self.all(a, self.exists_one(b, b.port == a.port))",
                  "spec.listeners[].port: two listeners have the same");
  return with_rule(out, "self[0].type == 'internal'",
                   "spec.listeners[0].type: the first listener must be internal");
}

Json update_policy() {
  return object(
      "When Pods may be restarted for a change. Lost Pods come back in any case.",
      {{"paused", boolean("No restarts while true.", {{"default", false}})},
       {"maxUnavailable",
        integer("How many brokers may be away at once for a restart: never two of one rack, and "
                "each only when the controllers say that no partition suffers. Controllers go one "
                "at a time.",
                {{"minimum", 1}, {"maximum", 50}, {"default", 1}})},
       {"maintenanceWindow",
        object("Restarts begin only then.",
               {{"days", list("Days of the week; every day when not given.",
                              text("", {{"enum",
                                         {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
                                          "Friday", "Saturday"}}}),
                              {{"maxItems", 7}, {"x-kubernetes-list-type", "set"}})},
                {"start", text("Time of the day, UTC, as \"22:30\".",
                               {{"pattern", "^([01][0-9]|2[0-3]):[0-5][0-9]$"}, {"maxLength", 5}})},
                {"minutes", integer("How long.", {{"minimum", 10}, {"maximum", 1440}})}},
               {"start", "minutes"})}},
      {}, {{"default", Json::object()}});
}

Json metrics() {
  return object(
      "What /metrics of the nodes, on port 9644, is to say and to whom. A change restarts them, "
      "one "
      "by one.",
      {{"kafkaNames",
        boolean("Also by the names of Kafka's JMX exporter, for boards and alerts that "
                "know those: moldau.metrics.kafka.names of spec.config.",
                {{"default", false}})},
       {"scrapeAnnotations",
        boolean("Pods bear prometheus.io/scrape, port and path, for a Prometheus that looks for "
                "these instead of PodMonitors.",
                {{"default", false}})}},
      {}, {{"default", Json::object()}});
}

Json spec() {
  return object(
      "What is wanted.",
      {{"version", text("The version to run: the tag of the operator's image for nodes. Without it "
                        "and without image, nodes run the operator's own version and are updated "
                        "with it.",
                        {{"pattern", "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"}, {"maxLength", 64}})},
       {"image", text("The image to run, instead of the operator's for that version.",
                      {{"minLength", 1}, {"maxLength", 512}})},
       {"brokers", brokers()},
       {"brokerPools", broker_pools()},
       {"controllers", controllers()},
       {"rack", object("Spreads replicas over racks.",
                       {{"topologyKey", text("The label of Nodes that is a broker's rack.",
                                             {{"minLength", 1}, {"maxLength", 317}})}},
                       {"topologyKey"})},
       {"listeners", listeners()},
       {"config", map("Configs of all brokers, by Kafka's names. What can change while brokers run "
                      "does; the rest restarts them, one by one.",
                      scalar(""), {{"maxProperties", 200}})},
       {"metrics", metrics()},
       {"updatePolicy", update_policy()},
       {"deletionPolicy",
        choice("Retain keeps the volumes of nodes that go, and of a Cluster that is deleted: "
               "applied again it finds its data. Delete deletes them.",
               {"Retain", "Delete"}, "Retain")}},
      {}, {{"default", Json::object()}});
}

Json counts(std::string_view about) {
  return object(about, {{"replicas", integer("How many there are.")},
                        {"ready", integer("How many are ready.")},
                        {"updated", integer("How many run what is wanted.")}});
}

Json status() {
  return status_schema(
      {{"clusterId", text("The cluster's identity, kept on its volumes.")},
       {"version", text("What all nodes run; empty while they differ.")},
       {"image", text("The image that is wanted.")},
       {"bootstrapServers", text("For clients within the Kubernetes cluster.")},
       {"listeners",
        keyed_list("Where clients connect.", "name",
                   object("",
                          {{"name", text("")},
                           {"bootstrapServers", text("For clients of this listener.")}},
                          {"name"}))},
       {"brokers", counts("The brokers of all pools.")},
       {"controllers", counts("The controllers.")},
       {"replicas", integer("Brokers of spec.brokers, for the scale subresource.")},
       {"brokersReady", text("As \"3/3\".")},
       {"controllersReady", text("As \"3/3\".")},
       {"labelSelector", text("Of the Pods of spec.brokers, for the scale subresource.")},
       {"activeController", integer("The controller that leads.")}});
}

Json make() {
  Json out = object("A Moldau cluster: brokers and controllers that Kafka clients talk to.",
                    {{"spec", spec()}, {"status", status()}});
  return with_rule(out, "self.metadata.name.size() <= 30 && !self.metadata.name.contains('.')",
                   "metadata.name: at most 30 characters, without dots: Pods are named after it");
}

}  // namespace

const Json& cluster_schema() {
  static const Json kSchema = make();
  return kSchema;
}

}  // namespace kube
