// Coroutines for long flows in node code. A Task starts when awaited (or spawned), runs on the
// thread that resumes it, and gives its result to one awaiter. Proven by task_test and by the
// simulator's unseed; why not asio::awaitable: docs/decisions/0002-task-type.md.
//
// A child that finishes without suspending returns into its parent like a function: the stack
// grows with the depth of calls, never with the length of a loop, with or without optimisation.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "common/base/check.h"

namespace io {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> parent;
  bool starting = false;  // the parent is still inside await_suspend

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      auto& promise = self.promise();
      if (promise.starting || !promise.parent) return std::noop_coroutine();
      return promise.parent;
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  // Nodes do not throw: what escapes is a bug.
  void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) {
    auto& promise = handle_.promise();
    promise.parent = parent;
    promise.starting = true;
    handle_.resume();
    if (handle_.done()) return false;  // finished at once: go on without suspending
    promise.starting = false;
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Owns itself: the frame of spawn().
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};
}  // namespace detail

// Starts a task now; `done` runs when it has finished. The task owns its arguments.
template <class Done>
detail::Detached spawn(Task<void> task, Done done) {
  co_await std::move(task);
  done();
}
inline detail::Detached spawn(Task<void> task) { co_await std::move(task); }

// Turns a callback into something to await: `start` receives the function that resumes. The
// callback must come exactly once, on the awaiting task's thread; it may come from within start.
template <class T>
class Callback {
 public:
  using Resume = std::move_only_function<void(T)>;
  explicit Callback(std::move_only_function<void(Resume)> start) : start_(std::move(start)) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiting) {
    starting_ = true;
    start_([this, awaiting](T value) mutable {
      CHECK(!value_.has_value());
      value_.emplace(std::move(value));
      if (!starting_) awaiting.resume();
    });
    starting_ = false;
    return !value_.has_value();
  }
  T await_resume() { return std::move(*value_); }

 private:
  std::move_only_function<void(Resume)> start_;
  std::optional<T> value_;
  bool starting_ = false;
};

}  // namespace io
