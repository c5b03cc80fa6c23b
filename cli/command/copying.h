// How the controller's knowledge of what moves have to copy is told to people and programs. Pure.
#pragma once

#include <string>

#include "cli/command/context.h"
#include "proto/controller.pb.h"

namespace cli {

// "12 GiB left, about 3 min at 80 MiB/s", as far as that is known; empty when nothing is left.
std::string human_copying(const proto::CopyProgress& progress);

// bytes_left, bytes_per_second and seconds_left; null what is not known. `Reply` has a `progress`.
Json copying_json(const proto::CopyProgress& progress);
template <class Reply>
Json copying_json_of(const Reply& reply) {
  return reply.has_progress() ? copying_json(reply.progress()) : Json(nullptr);
}

}  // namespace cli
