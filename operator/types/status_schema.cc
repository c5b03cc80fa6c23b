#include "operator/types/status_schema.h"

#include "operator/types/conditions.h"

namespace kube {

Json status_schema(schema::Fields more) {
  using namespace schema;
  Json condition = object(
      "",
      {{"type", text("Ready, Progressing, Degraded, UpgradeBlocked or Stable.")},
       {"status", text("", {{"enum", {"True", "False", "Unknown"}}})},
       {"reason", text("One word of a documented list.")},
       {"message", text("For people.", {{"maxLength", 32768}})},
       {"observedGeneration",
        {{"type", "integer"}, {"format", "int64"}, {"description", "Of which spec it speaks."}}},
       {"lastTransitionTime",
        {{"type", "string"},
         {"format", "date-time"},
         {"description", "When status changed last."}}}},
      {"type", "status", "reason", "message", "lastTransitionTime"});
  Json out = object(
      "What there is. Written by the operator, which never reads it to learn what exists.",
      {{"observedGeneration",
        {{"type", "integer"}, {"format", "int64"}, {"description", "Of which spec it speaks."}}},
       {"message", text("What matters most, in one line.", {{"maxLength", 32768}})},
       {"conditions",
        keyed_list("How it is. All of them are always there.", "type", std::move(condition))}},
      {}, {{"default", {{"conditions", first_conditions()}}}});
  for (const auto& [name, field] : more) out["properties"][std::string(name)] = field;
  return out;
}

}  // namespace kube
