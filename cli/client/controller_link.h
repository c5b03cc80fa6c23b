// The controllers over gRPC, for when no broker answers: asked by the program moldau-ask, which
// stands beside this one, so that this one need not load gRPC. Blocking.
#pragma once

#include <string>
#include <vector>

#include "cli/client/address.h"
#include "cli/client/deadline.h"
#include "cli/client/trouble.h"

namespace cli {

class ControllerLink {
 public:
  explicit ControllerLink(const std::vector<Address>& controllers);

  // Finds the controller that leads, and asks it.
  Try<std::string> call(const std::string& method, const std::string& request, Deadline until);

 private:
  std::string controllers_;  // host:port,...
};

}  // namespace cli
