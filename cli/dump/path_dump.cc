// From paths to bytes: maps files, tells by their names what they are.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "cli/dump/entry_writer.h"
#include "cli/dump/log_dump.h"
#include "cli/failure.h"
#include "cli/text/quantity.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

// A file's bytes for reading, for as long as this lives. A file that a running broker cuts short
// meanwhile may end the program: dumps are for files at rest.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path) {
    int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path);
    struct stat facts{};
    if (fstat(descriptor, &facts) != 0) {
      close(descriptor);
      fail(path);
    }
    size_ = static_cast<std::size_t>(facts.st_size);
    if (size_ > 0) data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int code = errno;
    close(descriptor);
    errno = code;
    if (data_ == MAP_FAILED) fail(path);
    if (data_) madvise(data_, size_, MADV_SEQUENTIAL);
  }
  ~MappedFile() {
    if (data_) munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  base::BytesView bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  [[noreturn]] static void fail(const fs::path& path) {
    throw Failure(fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  }
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// The first offset of a segment stands in the names of its files.
std::int64_t base_offset_of(const fs::path& path) {
  return parse_integer(path.stem().string()).value_or(0);
}

bool is_segment(const fs::path& path) {
  return path.extension() == ".log" || path.extension() == ".checkpoint";
}

bool is_known(const fs::path& path) {
  static constexpr std::string_view kExtensions[] = {".log",       ".checkpoint", ".index",
                                                     ".timeindex", ".txnindex",   ".snapshot"};
  return path.filename() == "leader-epoch-checkpoint" ||
         std::ranges::find(kExtensions, path.extension().string()) != std::end(kExtensions);
}

// Lines of text: a version, a count, and an epoch with its first offset each.
std::int64_t dump_epochs(const std::string& name, base::BytesView bytes, const DumpOptions& options,
                         const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("leader epochs");
  std::string_view rest = base::as_text(bytes);
  std::int64_t line_number = 0;
  std::int64_t declared = -1;
  std::int64_t count = 0;
  while (!rest.empty()) {
    std::size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest = newline == std::string_view::npos ? "" : rest.substr(newline + 1);
    auto position = static_cast<std::uint64_t>(line.data() - base::as_text(bytes).data());
    ++line_number;
    std::size_t space = line.find(' ');
    auto first = parse_integer(line.substr(0, space));
    auto second =
        space == std::string_view::npos ? std::nullopt : parse_integer(line.substr(space + 1));
    if (line_number == 1) {
      if (first != 0) writer.problem(position, "the version is not 0");
    } else if (line_number == 2) {
      declared = first.value_or(-1);
    } else if (!first || !second) {
      writer.problem(position, "not an epoch and an offset");
    } else {
      if (!options.summary) writer.entry("entry", {{"epoch", *first}, {"startOffset", *second}});
      ++count;
    }
  }
  if (count != declared) {
    writer.problem(0, fmt::format("{} entries declared, {} found", declared, count));
  }
  writer.summary({{"entries", count}, {"problems", writer.problems()}});
  return writer.problems();
}

std::int64_t dump_file(const fs::path& path, const DumpOptions& options, const DumpOut& out) {
  MappedFile file(path);
  std::string name = path.string();
  fs::path extension = path.extension();
  if (is_segment(path)) return dump_segment(name, file.bytes(), options, out);
  if (extension == ".index") {
    fs::path log = path;
    log.replace_extension(".log");
    if (!fs::exists(log)) {
      return dump_offset_index(name, file.bytes(), base_offset_of(path), {}, options, out);
    }
    MappedFile segment(log);
    return dump_offset_index(name, file.bytes(), base_offset_of(path), segment.bytes(), options,
                             out);
  }
  if (extension == ".timeindex") {
    return dump_time_index(name, file.bytes(), base_offset_of(path), options, out);
  }
  if (extension == ".txnindex") return dump_transaction_index(name, file.bytes(), options, out);
  if (extension == ".snapshot") return dump_producer_snapshot(name, file.bytes(), options, out);
  return dump_epochs(name, file.bytes(), options, out);
}

}  // namespace

std::int64_t dump_path(const std::string& path, const DumpOptions& options, const DumpOut& out) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (!error && !is_known(path)) {
      throw Failure(fmt::format("{}: what kind of file is that?", path),
                    "known are .log, .index, .timeindex, .txnindex, .snapshot and "
                    "leader-epoch-checkpoint");
    }
    return dump_file(path, options, out);
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file() && is_known(entry.path())) files.push_back(entry.path());
  }
  if (error) throw Failure(fmt::format("cannot read {}: {}", path, error.message()));
  if (files.empty()) {
    throw Failure(fmt::format("{}: no files of a partition are there", path),
                  "give the directory of one partition, such as data/orders-0");
  }
  std::ranges::sort(files);
  std::int64_t problems = 0;
  for (const fs::path& file : files) problems += dump_file(file, options, out);
  return problems;
}

}  // namespace cli
