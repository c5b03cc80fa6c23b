// The one failure of a write that passes: the disk, or a quota on it, is full.
#pragma once

#include <cerrno>

#include "common/io/error.h"

namespace broker {

inline bool is_full_disk(const io::IoError& error) {
  return error.code == ENOSPC || error.code == EDQUOT;
}

}  // namespace broker
