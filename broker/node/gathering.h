// The answers of many shards on their way to one asker. Shards live on several executors; this
// lives on one, the asker's, and only there answers may be put in: it has no lock.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/io/executor.h"

namespace broker {

template <class Answer>
class Gathering : public std::enable_shared_from_this<Gathering<Answer>> {
 public:
  using Done = std::move_only_function<void(std::vector<Answer>)>;
  using Put = std::move_only_function<void(Answer)>;

  // On `home`. `done` comes there, with one answer for each of `places`, once each was put and
  // all_asked() was called.
  Gathering(io::Executor& home, std::vector<Answer> places, Done done)
      : home_(home), answers_(std::move(places)), done_(std::move(done)) {
    CHECK(home_.here());
  }

  // What takes the answer for place `i`: to be called once, on `home`.
  Put place(std::size_t i) {
    ++missing_;
    return [self = this->shared_from_this(), i](Answer answer) {
      CHECK(self->home_.here());
      self->answers_[i] = std::move(answer);
      self->one_done();
    };
  }

  void all_asked() { one_done(); }

 private:
  void one_done() {
    if (--missing_ == 0) done_(std::move(answers_));
  }

  io::Executor& home_;
  std::vector<Answer> answers_;
  std::size_t missing_ = 1;  // all_asked() is one
  Done done_;
};

}  // namespace broker
