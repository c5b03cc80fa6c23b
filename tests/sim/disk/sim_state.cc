#include "tests/sim/disk/sim_state.h"

#include <algorithm>
#include <cerrno>

namespace sim {
namespace {

void apply_write(base::Bytes& image, base::BytesView bytes, std::uint64_t position) {
  if (bytes.empty()) return;
  if (image.size() < position + bytes.size()) image.resize(position + bytes.size());
  std::ranges::copy(bytes, image.begin() + static_cast<std::ptrdiff_t>(position));
}

void apply_data(base::Bytes& image, const SimState::DataOp& op) {
  if (op.is_truncate) {
    image.resize(op.position);
  } else {
    apply_write(image, op.bytes, op.position);
  }
}

void apply_name(SimState::Entries& entries, const SimState::NameOp& op) {
  if (!op.removed.empty()) entries.erase(op.removed);
  if (!op.added.empty()) entries[op.added] = op.inode;
}

}  // namespace

SimState::SimState(std::uint64_t seed, const DiskFaults* disk_faults, const OnOperation* listener,
                   const std::function<void()>* stop_listener)
    : random(seed),
      faults(disk_faults),
      on_operation(listener),
      on_stopped(stop_listener),
      root(std::make_shared<Inode>()) {
  root->is_directory = true;
}

int SimState::begin_operation() {
  const std::uint64_t index = operations++;
  if (stop_at && index >= *stop_at) {
    if (*on_stopped) (*on_stopped)();
    return ECANCELED;
  }
  if (faults->fail_operation == index) return faults->fail_code;
  return 0;
}

bool SimState::is_dead(const std::string& path) const {
  return std::ranges::any_of(faults->dead, [&](const std::string& dead) {
    return path == dead || path.starts_with(dead + "/");
  });
}

int SimState::begin_sync() {
  const std::uint64_t index = syncs++;
  if (const int failed = begin_operation()) return failed;
  return faults->fail_sync == index ? faults->fail_code : 0;
}

std::string_view SimState::next_name(std::string_view& path) {
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (!name.empty() && name != ".") return name;
  }
  return {};
}

std::vector<std::string> SimState::split(std::string_view path) {
  std::vector<std::string> names;
  for (auto name = next_name(path); !name.empty(); name = next_name(path)) names.emplace_back(name);
  return names;
}

std::string SimState::parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string SimState::name_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::shared_ptr<SimState::Inode> SimState::find(std::string_view path) const {
  const std::shared_ptr<Inode>* at = &root;
  for (auto name = next_name(path); !name.empty(); name = next_name(path)) {
    const auto it = (*at)->entries.find(name);
    if (it == (*at)->entries.end()) return nullptr;
    at = &it->second;
  }
  return *at;
}

void SimState::write(Inode& inode, base::Bytes bytes, std::uint64_t position) {
  if (bytes.empty()) return;
  inode.warm = true;
  apply_write(inode.data, bytes, position);
  inode.data_ops.push_back({false, position, std::move(bytes)});
}

void SimState::truncate(Inode& inode, std::uint64_t size) {
  inode.data.resize(size);
  inode.data_ops.push_back({true, size, {}});
}

void SimState::link(Inode& directory, const std::string& name, std::shared_ptr<Inode> inode) {
  directory.entries[name] = inode;
  directory.name_ops.push_back({"", name, std::move(inode)});
}

void SimState::unlink(Inode& directory, const std::string& name) {
  directory.entries.erase(name);
  directory.name_ops.push_back({name, "", nullptr});
}

void SimState::rename(Inode& directory, const std::string& from, const std::string& to) {
  const auto inode = directory.entries[from];
  directory.entries.erase(from);
  directory.entries[to] = inode;
  directory.name_ops.push_back({from, to, inode});
}

int SimState::remove_tree(const std::string& path, Inode& inode) {
  const auto entries = inode.entries;
  for (const auto& [name, child] : entries) {
    if (const int failed = remove_tree(path + "/" + name, *child)) return failed;
  }
  if (const int failed = begin_operation()) return failed;
  unlink(*find(parent_of(path)), name_of(path));
  return 0;
}

std::uint64_t SimState::used(const Inode& inode) const {
  std::uint64_t bytes = inode.data.size();
  for (const auto& [name, child] : inode.entries) bytes += used(*child);
  return bytes;
}

bool SimState::is_full() const {
  return faults->capacity_bytes && used(*root) >= *faults->capacity_bytes;
}

std::uint64_t SimState::fitting(const Inode& inode, std::uint64_t position,
                                std::uint64_t count) const {
  if (!faults->capacity_bytes) return count;
  const std::uint64_t end = position + count;
  if (end <= inode.data.size()) return count;
  const std::uint64_t taken = used(*root);
  const std::uint64_t free = *faults->capacity_bytes > taken ? *faults->capacity_bytes - taken : 0;
  const std::uint64_t reach = inode.data.size() + free;
  return reach >= end ? count : (reach > position ? reach - position : 0);
}

void SimState::make_durable(Inode& inode) {
  for (const DataOp& op : inode.data_ops) {
    if (!op.dropped) apply_data(inode.durable, op);
  }
  inode.data_ops.clear();
}

void SimState::make_names_durable(Inode& directory) {
  for (const NameOp& op : directory.name_ops) apply_name(directory.durable_entries, op);
  directory.name_ops.clear();
}

void SimState::drop_unsynced(Inode& inode) {
  for (DataOp& op : inode.data_ops) op.dropped = true;
}

void SimState::drop_all_unsynced(Inode& inode) {
  drop_unsynced(inode);
  for (const auto& [name, child] : inode.entries) drop_all_unsynced(*child);
}

void SimState::sync_tree(Inode& inode) {
  if (inode.is_directory && !faults->lying_directory_sync) make_names_durable(inode);
  if (!inode.is_directory && !faults->lying_sync) make_durable(inode);
  for (const auto& [name, child] : inode.entries) sync_tree(*child);
}

void SimState::end_process() {
  ++generation;
  locks.clear();
}

void SimState::crash() {
  end_process();
  stop_at.reset();
  crash_directory(*root);
}

// Journals keep the order of names, mostly: all, none, the first ones, or any of them.
void SimState::crash_directory(Inode& directory) {
  auto entries = directory.durable_entries;
  const auto style = random.below(4);
  const std::size_t prefix = random.below(directory.name_ops.size() + 1);
  for (std::size_t i = 0; i < directory.name_ops.size(); ++i) {
    const bool kept =
        style == 0 || (style == 1 && i < prefix) || (style == 2 && random.chance(1, 2));
    if (kept) apply_name(entries, directory.name_ops[i]);
  }
  directory.name_ops.clear();
  directory.entries = directory.durable_entries = std::move(entries);
  for (const auto& [name, child] : directory.entries) {
    if (child->is_directory) {
      crash_directory(*child);
    } else {
      crash_file(*child);
    }
  }
}

void SimState::crash_file(Inode& inode) {
  base::Bytes image = inode.durable;
  const auto style = random.below(5);
  const std::size_t sector = random.chance(1, 2) ? 512 : 4096;
  const std::size_t prefix = random.below(inode.data_ops.size() + 1);
  std::size_t largest = image.size();
  for (std::size_t i = 0; i < inode.data_ops.size(); ++i) {
    const DataOp& op = inode.data_ops[i];
    if (op.dropped) continue;
    if (style == 0 || (style == 1 && i < prefix)) {  // all; or the first ones, whole
      apply_data(image, op);
      continue;
    }
    if (style == 1 && i > prefix) break;
    if (style == 4) break;  // none
    // The first ones and a torn one; or any sectors of any.
    if (style == 2 && i < prefix) {
      apply_data(image, op);
      continue;
    }
    if (style == 2 && i > prefix) break;
    if (op.is_truncate) {
      if (random.chance(1, 2)) image.resize(op.position);
      continue;
    }
    largest = std::max<std::size_t>(largest, op.position + op.bytes.size());
    std::size_t at = 0;
    while (at < op.bytes.size()) {
      const std::size_t to_bound = sector - (op.position + at) % sector;
      const std::size_t piece = std::min(to_bound, op.bytes.size() - at);
      if (random.chance(1, 2)) {
        apply_write(image, base::BytesView(op.bytes).subspan(at, piece), op.position + at);
      }
      at += piece;
    }
  }
  // The size may have become durable before the data: zeros at the end.
  if (style != 4 && random.chance(1, 4) && largest > image.size()) image.resize(largest);
  inode.data_ops.clear();
  inode.warm = false;
  inode.data = inode.durable = std::move(image);
}

std::shared_ptr<SimState::Inode> SimState::copy_durable(const Inode& inode) const {
  auto copy = std::make_shared<Inode>();
  copy->is_directory = inode.is_directory;
  copy->data = copy->durable = inode.durable;
  for (const auto& [name, child] : inode.durable_entries) {
    copy->entries[name] = copy->durable_entries[name] = copy_durable(*child);
  }
  return copy;
}

std::uint64_t SimState::digest() const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](base::BytesView bytes) {
    for (std::byte byte : bytes) {
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
  };
  for (const std::string& path : files()) {
    mix(base::as_bytes(path));
    mix(find(path)->data);
  }
  return hash;
}

std::vector<std::string> SimState::files() const {
  std::vector<std::string> result;
  const auto visit = [&](const auto& self, const Inode& inode, const std::string& path) -> void {
    for (const auto& [name, child] : inode.entries) {
      const std::string full = path.empty() ? name : path + "/" + name;
      if (child->is_directory) {
        self(self, *child, full);
      } else {
        result.push_back(full);
      }
    }
  };
  visit(visit, *root, "");
  return result;
}

}  // namespace sim
