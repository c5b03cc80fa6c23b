// What a disk, network or rpc seam answers when the world refuses.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

namespace io {

struct IoError {
  int code = EIO;    // errno
  std::string what;  // the operation and the path or address, for people
};

template <class T>
using IoResult = std::expected<T, IoError>;

inline std::unexpected<IoError> io_failure(int code, std::string what) {
  return std::unexpected(IoError{code, std::move(what)});
}

}  // namespace io
