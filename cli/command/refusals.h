// Several things in one command: each refusal is told, and the command fails at the end.
#pragma once

#include <string>
#include <vector>

#include "cli/client/trouble.h"
#include "cli/failure.h"

namespace cli {

class Refusals {
 public:
  void add(const Trouble& trouble) {
    if (!what_.empty()) what_ += "\nerror: ";
    what_ += trouble.what;
    if (hint_.empty()) hint_ = trouble.hint;
  }
  void throw_if_any() const {
    if (!what_.empty()) throw Failure(what_, hint_);
  }

 private:
  std::string what_;
  std::string hint_;
};

}  // namespace cli
