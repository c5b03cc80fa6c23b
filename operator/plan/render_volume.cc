// Persistent volume claims: the identity of a node, and what must outlive everything else.
#include <charconv>

#include "operator/plan/labels.h"
#include "operator/plan/render.h"

namespace kube {
namespace {

const Json& annotations_of(const Json& object) {
  return object_at(object, {"metadata", "annotations"});
}

std::string requested(const Json& volume) {
  return text_at(volume, {"spec", "resources", "requests", "storage"});
}

std::string larger(const std::string& a, const std::string& b) {
  return amount_of(a).value_or(0) >= amount_of(b).value_or(0) ? a : b;
}

}  // namespace

std::optional<double> amount_of(const std::string& quantity) {
  double number = 0;
  const char* end = quantity.data() + quantity.size();
  const auto [at, error] = std::from_chars(quantity.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  if (unit.empty()) return number;
  if (unit == "k") return number * 1e3;
  if (unit == "m") return number / 1e3;
  constexpr std::string_view kUnits = "KMGTPE";
  const std::size_t which = kUnits.find(unit.front());
  if (which == std::string_view::npos || unit.size() > 2) return std::nullopt;
  if (unit.size() == 2 && unit[1] != 'i') return std::nullopt;
  for (std::size_t i = 0; i <= which; ++i) number *= unit.size() == 2 ? 1024 : 1000;
  return number;
}

VolumeMarks marks_of(const Node& node) {
  VolumeMarks out;
  out.state = node.state;
  if (node.volume == nullptr) return out;
  out.founders = founders_of({node});
  out.even_out = text_at(annotations_of(*node.volume), {annotation::kEvenOut}) == "pending";
  return out;
}

Json render_volume(const Names& names, const ClusterSpec& spec, const Node& node,
                   const NodePool& pool, const VolumeMarks& marks) {
  const bool goes_with_cluster = spec.deletion_policy == DeletionPolicy::kDelete;
  Json out = names.object("v1", "PersistentVolumeClaim", Names::volume(node.pod_name), node.role,
                          goes_with_cluster);
  out["metadata"]["labels"][label::kPool] = node.pool;
  out["metadata"]["labels"][label::kNodeId] = std::to_string(node.id);
  Json& notes = out["metadata"]["annotations"];
  notes[annotation::kState] = name(marks.state);
  if (!marks.founders.empty()) {
    std::string ids;
    for (const std::int32_t id : marks.founders)
      ids += (ids.empty() ? "" : ",") + std::to_string(id);
    notes[annotation::kFounders] = ids;
  }
  if (marks.even_out) notes[annotation::kEvenOut] = "pending";
  std::string size = pool.storage_size;
  Json modes = Json::array({"ReadWriteOnce"});
  if (pool.storage_class) out["spec"]["storageClassName"] = *pool.storage_class;
  if (node.volume != nullptr) {
    // What is there cannot shrink or change its class, whatever a Cluster says that finds it.
    if (!requested(*node.volume).empty()) size = larger(requested(*node.volume), size);
    const Json* there = find(*node.volume, {"spec", "storageClassName"});
    if (there != nullptr) out["spec"]["storageClassName"] = *there;
    if (const Json* given = find(*node.volume, {"spec", "accessModes"})) modes = *given;
  }
  out["spec"]["accessModes"] = std::move(modes);
  out["spec"]["resources"]["requests"]["storage"] = size;
  return out;
}

bool volume_differs(const Names& names, const Json& want, const Json& have) {
  for (const char* part : {"labels", "annotations"}) {
    if (!is_within(object_at(want, {"metadata", part}), object_at(have, {"metadata", part}))) {
      return true;
    }
  }
  for (const char* mark : {annotation::kFounders, annotation::kEvenOut}) {
    if (annotations_of(have).contains(mark) != annotations_of(want).contains(mark)) return true;
  }
  if (names.owns(want) != names.owns(have)) return true;
  return amount_of(requested(want)).value_or(0) > amount_of(requested(have)).value_or(0);
}

}  // namespace kube
