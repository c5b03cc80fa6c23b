// The controllers over gRPC, for when no broker answers. Blocking for the caller; a thread of its
// own does the work.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/client/address.h"
#include "cli/client/deadline.h"
#include "cli/client/trouble.h"

namespace cli {

class ControllerLink {
 public:
  explicit ControllerLink(const std::vector<Address>& controllers);
  ~ControllerLink();
  ControllerLink(const ControllerLink&) = delete;
  ControllerLink& operator=(const ControllerLink&) = delete;

  // Finds the controller that leads, and asks it.
  Try<std::string> call(const std::string& method, const std::string& request, Deadline until);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace cli
