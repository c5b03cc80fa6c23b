// Names that the operator writes on what it owns, and by which it finds it again. Never change one:
// what runs was labelled by an older operator.
#pragma once

namespace kube {

inline constexpr const char* kGroup = "moldau.dev";
inline constexpr const char* kApiVersion = "moldau.dev/v1";

namespace label {
inline constexpr const char* kCluster = "moldau.dev/cluster";  // on everything
inline constexpr const char* kPool = "moldau.dev/pool";        // Pods and volumes
inline constexpr const char* kNodeId = "moldau.dev/node-id";   // Pods and volumes
inline constexpr const char* kComponent = "app.kubernetes.io/component";
inline constexpr const char* kName = "app.kubernetes.io/name";
inline constexpr const char* kInstance = "app.kubernetes.io/instance";
inline constexpr const char* kManagedBy = "app.kubernetes.io/managed-by";
}  // namespace label

namespace annotation {
// On volumes. Where a node is in its life: member, draining, retired.
inline constexpr const char* kState = "moldau.dev/state";
// On a controller's volume: the ids that found the quorum together, "1,2,3". Absent: it joins one.
inline constexpr const char* kFounders = "moldau.dev/founders";
// On a broker's volume: "pending" until replicas were moved onto a broker that came later.
inline constexpr const char* kEvenOut = "moldau.dev/even-out";
// On Pods: the hash of what a restart would be needed for.
inline constexpr const char* kRevision = "moldau.dev/revision";
}  // namespace annotation

namespace port {
inline constexpr int kClient = 9092;
inline constexpr int kInternal = 9091;
inline constexpr int kController = 9094;
inline constexpr int kHttp = 9644;
}  // namespace port

}  // namespace kube
