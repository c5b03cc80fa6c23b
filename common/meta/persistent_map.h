// A sorted map as an immutable value: copying shares everything, changing one key copies one leaf
// of at most 128 entries and the list of leaves. Images of neighbouring offsets share what did not
// change. Two levels suffice: 100,000 keys are about 1,500 leaves.
//
// A copy may be changed; the value that it was copied from must not be changed any more (it is in
// an image behind a shared_ptr<const> by then). Unchanging values may be read from any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace meta {

template <class Key, class Value>
class PersistentMap {
 public:
  struct Entry {
    Key key;
    Value value;
  };

 private:
  static constexpr std::size_t kLeafMax = 128;
  // `edit` says which copy made the node: only that one may change it in place.
  struct Leaf {
    std::uint64_t edit = 0;
    std::vector<Entry> entries;
  };
  struct Root {
    std::uint64_t edit = 0;
    std::vector<std::shared_ptr<Leaf>> leaves;  // none is empty
  };

 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = const Entry&;

    Iterator() = default;
    Iterator(const Root* root, std::size_t leaf, std::size_t at)
        : root_(root), leaf_(leaf), at_(at) {}
    reference operator*() const { return root_->leaves[leaf_]->entries[at_]; }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      if (++at_ == root_->leaves[leaf_]->entries.size()) {
        ++leaf_;
        at_ = 0;
      }
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const Root* root_ = nullptr;
    std::size_t leaf_ = 0;
    std::size_t at_ = 0;
  };

  PersistentMap() = default;
  PersistentMap(const PersistentMap& from)
      : root_(from.root_), size_(from.size_), edit_(from.edit_ + 1) {}
  PersistentMap& operator=(const PersistentMap& from) {
    root_ = from.root_;
    size_ = from.size_;
    edit_ = from.edit_ + 1;
    return *this;
  }
  PersistentMap(PersistentMap&&) noexcept = default;
  PersistentMap& operator=(PersistentMap&&) noexcept = default;
  ~PersistentMap() = default;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return Iterator(root_.get(), 0, 0); }
  Iterator end() const { return Iterator(root_.get(), root_ ? root_->leaves.size() : 0, 0); }

  // Any type that compares with Key.
  template <class Like>
  Iterator lower_bound(const Like& key) const {
    if (!root_) return end();
    const auto& leaves = root_->leaves;
    auto leaf = std::ranges::partition_point(
        leaves, [&](const auto& each) { return each->entries.back().key < key; });
    if (leaf == leaves.end()) return end();
    const auto& entries = (*leaf)->entries;
    auto entry =
        std::ranges::partition_point(entries, [&](const Entry& each) { return each.key < key; });
    return Iterator(root_.get(), static_cast<std::size_t>(leaf - leaves.begin()),
                    static_cast<std::size_t>(entry - entries.begin()));
  }
  template <class Like>
  const Value* find(const Like& key) const {
    auto at = lower_bound(key);
    if (at == end() || key < at->key) return nullptr;
    return &at->value;
  }

  void set(const Key& key, Value value) {
    Root& root = own_root();
    auto& leaves = root.leaves;
    if (leaves.empty()) {
      leaves.push_back(std::make_shared<Leaf>(Leaf{edit_, {}}));
      leaves.back()->entries.push_back({key, std::move(value)});
      size_ = 1;
      return;
    }
    auto at = std::ranges::partition_point(
        leaves, [&](const auto& each) { return each->entries.back().key < key; });
    if (at == leaves.end()) --at;
    auto index = static_cast<std::size_t>(at - leaves.begin());
    Leaf& leaf = own_leaf(root, index);
    auto entry = std::ranges::partition_point(leaf.entries,
                                              [&](const Entry& each) { return each.key < key; });
    if (entry != leaf.entries.end() && !(key < entry->key)) {
      entry->value = std::move(value);
      return;
    }
    leaf.entries.insert(entry, {key, std::move(value)});
    ++size_;
    if (leaf.entries.size() > kLeafMax) split(root, index);
  }

  // True when the key was there.
  template <class Like>
  bool erase(const Like& key) {
    auto found = lower_bound(key);
    if (found == end() || key < found->key) return false;
    Root& root = own_root();
    auto at = std::ranges::partition_point(
        root.leaves, [&](const auto& each) { return each->entries.back().key < key; });
    auto index = static_cast<std::size_t>(at - root.leaves.begin());
    Leaf& leaf = own_leaf(root, index);
    auto entry = std::ranges::partition_point(leaf.entries,
                                              [&](const Entry& each) { return each.key < key; });
    leaf.entries.erase(entry);
    --size_;
    if (leaf.entries.empty()) {
      root.leaves.erase(root.leaves.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return true;
  }

 private:
  Root& own_root() {
    if (!root_) {
      root_ = std::make_shared<Root>(Root{edit_, {}});
    } else if (root_->edit != edit_) {
      root_ = std::make_shared<Root>(Root{edit_, root_->leaves});
    }
    return *root_;
  }
  Leaf& own_leaf(Root& root, std::size_t index) {
    auto& leaf = root.leaves[index];
    if (leaf->edit != edit_) leaf = std::make_shared<Leaf>(Leaf{edit_, leaf->entries});
    return *leaf;
  }
  void split(Root& root, std::size_t index) {
    Leaf& left = *root.leaves[index];
    const auto middle = static_cast<std::ptrdiff_t>(left.entries.size() / 2);
    auto right = std::make_shared<Leaf>(Leaf{edit_, {}});
    right->entries.assign(std::make_move_iterator(left.entries.begin() + middle),
                          std::make_move_iterator(left.entries.end()));
    left.entries.erase(left.entries.begin() + middle, left.entries.end());
    root.leaves.insert(root.leaves.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                       std::move(right));
  }

  std::shared_ptr<Root> root_;
  std::size_t size_ = 0;
  std::uint64_t edit_ = 1;
};

}  // namespace meta
