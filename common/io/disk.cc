#include "common/io/disk.h"

namespace io {

IoResult<std::string> Disk::read_file(const std::string& path) {
  auto file = open(path, OpenMode::kRead);
  if (!file) return std::unexpected(file.error());
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  std::string content(*size, '\0');
  auto got = (*file)->read_at({reinterpret_cast<std::byte*>(content.data()), content.size()}, 0);
  if (!got) return std::unexpected(got.error());
  content.resize(*got);
  return content;
}

IoResult<void> Disk::replace_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  auto file = open(temporary, OpenMode::kCreateEmpty);
  if (!file) return std::unexpected(file.error());
  if (auto wrote = (*file)->write_at(base::as_bytes(content), 0); !wrote) return wrote;
  if (auto synced = (*file)->sync_data(); !synced) return synced;
  if (auto renamed = rename(temporary, path); !renamed) return renamed;
  const auto slash = path.rfind('/');
  return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash));
}

}  // namespace io
