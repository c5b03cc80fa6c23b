// The inside of SimDisk: inodes with a visible and a durable image, and the operations between the
// two. Everything is called with the state's lock held.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "tests/sim/disk/sim_disk.h"

namespace sim {

struct SimState {
  struct Inode;
  using Entries = std::map<std::string, std::shared_ptr<Inode>, std::less<>>;
  // A change of contents that is not known to be durable.
  struct DataOp {
    bool is_truncate = false;
    std::uint64_t position = 0;  // or the new size
    base::Bytes bytes;
    bool dropped = false;  // by a failed sync: no later sync brings it to the medium
  };
  // A change of a directory that is not known to be durable.
  struct NameOp {
    std::string removed;  // empty: none
    std::string added;
    std::shared_ptr<Inode> inode;
  };
  struct Inode {
    bool is_directory = false;
    bool warm = false;
    base::Bytes data, durable;
    std::vector<DataOp> data_ops;
    Entries entries, durable_entries;
    std::vector<NameOp> name_ops;
  };
  using OnOperation = std::function<void(std::string_view, const std::string&)>;

  SimState(std::uint64_t seed, const DiskFaults* faults, const OnOperation* on_operation,
           const std::function<void()>* on_stopped);

  void announce(std::string_view operation, const std::string& path) const {
    if (*on_operation) (*on_operation)(operation, path);
  }
  // Counts one operation. 0: it happens; else the errno that it fails with.
  int begin_operation();
  int begin_sync();
  bool is_dead(const std::string& path) const;

  static std::vector<std::string> split(std::string_view path);
  // Cuts the first name off `path`; empty: there is none.
  static std::string_view next_name(std::string_view& path);
  static std::string parent_of(const std::string& path);
  static std::string name_of(const std::string& path);
  std::shared_ptr<Inode> find(std::string_view path) const;

  void write(Inode& inode, base::Bytes bytes, std::uint64_t position);
  void truncate(Inode& inode, std::uint64_t size);
  void link(Inode& directory, const std::string& name, std::shared_ptr<Inode> inode);
  void unlink(Inode& directory, const std::string& name);
  void rename(Inode& directory, const std::string& from, const std::string& to);
  int remove_tree(const std::string& path, Inode& inode);

  std::uint64_t used(const Inode& inode) const;
  bool is_full() const;
  // How many of `count` bytes to be written at `position` there is room for.
  std::uint64_t fitting(const Inode& inode, std::uint64_t position, std::uint64_t count) const;

  void make_durable(Inode& inode);
  void make_names_durable(Inode& directory);
  void drop_unsynced(Inode& inode);
  void drop_all_unsynced(Inode& inode);
  void sync_tree(Inode& inode);

  void end_process();
  void crash();
  void crash_directory(Inode& directory);
  void crash_file(Inode& inode);

  std::shared_ptr<Inode> copy_durable(const Inode& inode) const;
  std::uint64_t digest() const;
  std::vector<std::string> files() const;

  std::mutex mutex;
  base::Random random;
  const DiskFaults* faults;
  const OnOperation* on_operation;
  const std::function<void()>* on_stopped;
  std::shared_ptr<Inode> root;
  std::set<std::string> locks;
  std::uint64_t generation = 0;
  std::uint64_t operations = 0;
  std::uint64_t syncs = 0;
  std::optional<std::uint64_t> stop_at;
};

struct SimDisk::State : SimState {
  using SimState::SimState;
};

}  // namespace sim
