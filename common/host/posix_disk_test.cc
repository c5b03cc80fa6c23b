#include "common/host/posix_disk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "common/base/random.h"
#include "common/host/descriptor.h"

namespace host {
namespace {

using testing::HasSubstr;

class PosixDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "posix_disk_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { EXPECT_TRUE(disk_.remove_all(directory_).has_value()); }

  PosixDisk disk_;
  std::string directory_;
};

// Goal: a write of more parts than one call takes, with empty ones among them, lands whole and in
// place. Method: 3,000 parts of random length, read back and compared.
TEST_F(PosixDiskTest, WritesManyPartsAtAPosition) {
  auto file = disk_.open(directory_ + "/a", io::OpenMode::kCreate);
  ASSERT_TRUE(file.has_value());
  base::Random random(1);
  std::vector<std::string> texts;
  std::vector<base::BytesView> parts;
  std::string all;
  for (int i = 0; i < 3'000; ++i) {
    texts.emplace_back(random.below(60), static_cast<char>('a' + i % 26));
    all += texts.back();
  }
  for (const auto& text : texts) parts.push_back(base::as_bytes(text));
  ASSERT_TRUE((*file)->write_at(parts, 10).has_value());
  EXPECT_EQ(*(*file)->size(), 10 + all.size());
  base::Bytes back(all.size() + 100);
  const auto got = (*file)->read_at(back, 10);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(*got, all.size());
  EXPECT_EQ(base::as_text(base::BytesView(back).first(*got)), all);
  EXPECT_TRUE((*file)->sync_data().has_value());
}

// Goal: each call that the world refuses names the operation, the path and the reason. Method: a
// missing file, a missing directory, a write to a file that is open for reading.
TEST_F(PosixDiskTest, ErrorsSayWhatAndWhere) {
  const std::string missing = directory_ + "/none";
  const auto opened = disk_.open(missing, io::OpenMode::kRead);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_EQ(opened.error().what, "open " + missing + ": No such file or directory");
  EXPECT_EQ(disk_.list(missing).error().code, ENOENT);
  EXPECT_EQ(disk_.remove(missing).error().code, ENOENT);
  EXPECT_EQ(disk_.rename(missing, missing + "2").error().code, ENOENT);
  EXPECT_EQ(disk_.sync_directory(missing).error().code, ENOENT);
  EXPECT_FALSE(disk_.space(missing).has_value());
  EXPECT_TRUE(disk_.remove_all(missing).has_value());

  ASSERT_TRUE(disk_.replace_file(directory_ + "/a", "abc").has_value());
  const auto file = disk_.open(directory_ + "/a", io::OpenMode::kRead);
  const auto wrote = (*file)->write_at(base::as_bytes("x"), 0);
  ASSERT_FALSE(wrote.has_value());
  EXPECT_EQ(wrote.error().code, EBADF);
  EXPECT_THAT(wrote.error().what, HasSubstr("write " + directory_ + "/a"));
}

// Goal: open modes, truncation, reservation, directories. Method: a short life of a file.
TEST_F(PosixDiskTest, FilesAndDirectories) {
  const auto orphan = disk_.make_directory(directory_ + "/x/y");
  ASSERT_FALSE(orphan.has_value());
  EXPECT_EQ(orphan.error().code, ENOENT);
  ASSERT_TRUE(disk_.make_directories(directory_ + "/x/y").has_value());
  ASSERT_TRUE(disk_.make_directory(directory_ + "/x/z").has_value());
  const auto again = disk_.make_directory(directory_ + "/x/z");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, EEXIST);
  EXPECT_THAT(again.error().what, HasSubstr("mkdir " + directory_ + "/x/z"));
  ASSERT_TRUE(disk_.remove_all(directory_ + "/x/z").has_value());
  ASSERT_TRUE(disk_.replace_file(directory_ + "/x/b", "content").has_value());
  EXPECT_EQ(*disk_.read_file(directory_ + "/x/b"), "content");
  ASSERT_TRUE(disk_.rename(directory_ + "/x/b", directory_ + "/x/a").has_value());
  const auto entries = disk_.list(directory_ + "/x");
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_FALSE((*entries)[0].is_directory);
  EXPECT_EQ((*entries)[1].name, "y");
  EXPECT_TRUE((*entries)[1].is_directory);

  const auto file = disk_.open(directory_ + "/x/a", io::OpenMode::kReadWrite);
  (void)(*file)->reserve(1 << 20);  // may be refused
  EXPECT_EQ(*(*file)->size(), 7u);
  ASSERT_TRUE((*file)->truncate(3).has_value());
  EXPECT_EQ(*disk_.read_file(directory_ + "/x/a"), "con");
  ASSERT_TRUE(disk_.open(directory_ + "/x/a", io::OpenMode::kCreateEmpty).has_value());
  EXPECT_EQ(*disk_.read_file(directory_ + "/x/a"), "");
  EXPECT_TRUE(disk_.sync_directory(directory_ + "/x").has_value());
  EXPECT_TRUE(disk_.sync_filesystem(directory_).has_value());
  EXPECT_GT(disk_.space(directory_)->total_bytes, disk_.space(directory_)->free_bytes);
  EXPECT_TRUE(disk_.exists(directory_ + "/x/a"));
  EXPECT_TRUE(disk_.remove(directory_ + "/x/a").has_value());
  EXPECT_FALSE(disk_.exists(directory_ + "/x/a"));
}

// Goal: a cached read never waits for the medium. Method: dropped pages answer EAGAIN (where the
// file system can drop them), after a prefetch or a read the same call succeeds.
TEST_F(PosixDiskTest, CachedReadSaysWhenItIsNot) {
  const std::string path = directory_ + "/a";
  const std::string content(1 << 20, 'x');
  ASSERT_TRUE(disk_.replace_file(path, content).has_value());
  const auto file = disk_.open(path, io::OpenMode::kRead);
  base::Bytes out(4'096);
  const auto hot = (*file)->read_cached_at(out, 500'000);
  if (!hot) GTEST_SKIP() << "this file system cannot tell: " << hot.error().what;
  EXPECT_EQ(*hot, out.size());
  posix_fadvise((*file)->native_handle(), 0, 0, POSIX_FADV_DONTNEED);
  const auto cold = (*file)->read_cached_at(out, 500'000);
  if (cold) GTEST_SKIP() << "the pages could not be dropped (memory file system)";
  EXPECT_EQ(cold.error().code, EAGAIN);
  ASSERT_TRUE((*file)->read_at(out, 500'000).has_value());
  EXPECT_TRUE((*file)->read_cached_at(out, 500'000).has_value());
  (*file)->prefetch(0, 4'096);
}

// Goal: one process at a time per directory, and the refusal names the holder. Method: a child
// process tries while this one holds the lock, and again after it let go.
TEST_F(PosixDiskTest, LockNamesItsHolder) {
  auto lock = disk_.lock(directory_);
  ASSERT_TRUE(lock.has_value());
  const auto child_gets_it = [&] {
    const pid_t child = fork();
    if (child == 0) {
      const auto mine = PosixDisk().lock(directory_);
      const bool named =
          !mine && mine.error().code == EWOULDBLOCK &&
          mine.error().what.find("pid " + std::to_string(getppid())) != std::string::npos;
      _exit(mine ? 1 : named ? 2 : 3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(child_gets_it(), 2);
  lock = io::io_failure(0, "");  // lets go
  EXPECT_EQ(child_gets_it(), 1);
}

// Goal: a full disk is ENOSPC with the path; freed space is usable again. Method: a tmpfs of 1 MiB.
TEST_F(PosixDiskTest, FullDisk) {
  if (mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "may not mount a tmpfs here";
  }
  struct Unmount {
    std::string at;
    ~Unmount() { umount2(at.c_str(), MNT_DETACH); }
  } unmount{directory_};
  auto file = disk_.open(directory_ + "/a", io::OpenMode::kCreate);
  ASSERT_TRUE(file.has_value());
  const std::string block(600 << 10, 'x');
  ASSERT_TRUE((*file)->write_at(base::as_bytes(block), 0).has_value());
  const auto full = (*file)->write_at(base::as_bytes(block), block.size());
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ENOSPC);
  EXPECT_THAT(full.error().what, HasSubstr(directory_ + "/a: No space left"));
  EXPECT_LT(disk_.space(directory_)->free_bytes, block.size());
  ASSERT_TRUE((*file)->truncate(0).has_value());
  EXPECT_TRUE((*file)->write_at(base::as_bytes(block), 0).has_value());
  file = io::io_failure(0, "");
}

}  // namespace
}  // namespace host
