// What the status of every resource has. Internal to this folder.
#pragma once

#include "operator/types/schema.h"

namespace kube {

// With conditions, observedGeneration and message; and conditions before anything was seen.
Json status_schema(schema::Fields more);

}  // namespace kube
