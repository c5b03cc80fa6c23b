// The CustomResourceDefinitions, made from the schemas. Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/types/json.h"

namespace kube {

struct CrdFile {
  std::string name;  // "moldau.dev_clusters.yaml"
  std::string text;  // YAML, with a first line that says where it comes from
};

Json cluster_crd();
Json topic_crd();
// As they stand in manifests/crds.
std::vector<CrdFile> crd_files();

}  // namespace kube
