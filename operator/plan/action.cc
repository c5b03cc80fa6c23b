#include "operator/plan/action.h"

namespace kube {
namespace {

std::string called(const ObjectName& object) { return object.kind + " " + object.name; }

struct Words {
  std::string operator()(const ApplyObject& it) const {
    return "apply " + text_at(it.object, {"kind"}) + " " + text_at(it.object, {"metadata", "name"});
  }
  std::string operator()(const DeleteObject& it) const { return "delete " + called(it.object); }
  std::string operator()(const PatchStatus&) const { return "write the status"; }
  std::string operator()(const PatchFinalizers&) const { return "write the finalizers"; }
  std::string operator()(const EmitEvent& it) const { return "tell of " + it.reason; }
  std::string operator()(const DrainBroker& it) const { return broker("drain", it.broker); }
  std::string operator()(const ResumeBroker& it) const { return broker("resume", it.broker); }
  std::string operator()(const UnregisterBroker& it) const {
    return broker("unregister", it.broker);
  }
  std::string operator()(const AddVoter& it) const { return "add voter " + number(it.controller); }
  std::string operator()(const RemoveVoter& it) const {
    return "remove voter " + number(it.controller);
  }
  std::string operator()(const EvenOut&) const { return "even out replicas"; }
  std::string operator()(const AlterClusterConfigs&) const {
    return "alter configs of all brokers";
  }
  std::string operator()(const AlterTopicConfigs& it) const {
    return "alter configs of topic " + it.topic;
  }
  std::string operator()(const CreateTopic& it) const { return "create topic " + it.topic; }
  std::string operator()(const CreatePartitions& it) const {
    return "create partitions of topic " + it.topic;
  }
  std::string operator()(const Reassign& it) const { return "reassign topic " + it.topic; }
  std::string operator()(const DeleteTopic& it) const { return "delete topic " + it.topic; }

  static std::string number(std::int32_t id) { return std::to_string(id); }
  static std::string broker(const char* verb, std::int32_t id) {
    return std::string(verb) + " broker " + number(id);
  }
};

}  // namespace

std::string describe(const Action& action) { return std::visit(Words(), action); }

}  // namespace kube
