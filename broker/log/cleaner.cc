#include "broker/log/cleaner.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "broker/log/full_disk.h"

namespace broker {

struct Cleaner::Survey {
  std::set<PartitionName> present;
  std::vector<Candidate> candidates;  // wanted, the dirtiest first
  double dirty_ratio_max = 0;
  std::int64_t overdue_ms_max = 0;
};

struct Cleaner::Round {
  PartitionName name;
  Candidate candidate;
  std::unique_ptr<Cleaning> cleaning;
  io::IoResult<Cleaning::Progress> progress = Cleaning::Progress::kMore;
  base::Instant begun;
  base::Instant step_begun;
  double bytes_per_second = 0;
  CompactStats stats;           // at its end, as
  base::Offset cleaned_end{0};  // this
  base::Timer pause;
};

Cleaner::Cleaner(LogDirectory& directory, io::Disk& disk, io::Clock& clock, base::Diag& diag,
                 io::Executor& home, base::Random random, List list, const Options& options)
    : directory_(directory),
      disk_(disk),
      clock_(clock),
      diag_(diag),
      home_(home),
      random_(random),
      list_(std::move(list)),
      options_(options),
      offsets_(disk, directory.path() + "/cleaner-offset-checkpoint") {}

Cleaner::~Cleaner() = default;

void Cleaner::start() {
  rest_timer_.on_fire([this] { look(); });
  rest();
}

void Cleaner::rest() {
  if (!stopping_) home_.timers().set(rest_timer_, home_.now() + options_.backoff);
}

void Cleaner::stop(std::move_only_function<void()> done) {
  stopping_ = true;
  on_stopped_ = std::move(done);
  rest_timer_.cancel();
  // Those that pause go on, to end.
  for (auto& [name, round] : rounds_) {
    if (round->pause.is_set()) {
      round->pause.cancel();
      home_.post([this, round] { end_round(round); });
    }
  }
  end_if_stopped();
}

void Cleaner::end_if_stopped() {
  if (!stopping_ || looking_ || !rounds_.empty() || !on_stopped_) return;
  home_.post(std::exchange(on_stopped_, nullptr));
}

Cleaner::Stats Cleaner::stats() const {
  std::lock_guard lock(stats_mutex_);
  return stats_;
}

// ---- survey

void Cleaner::look() {
  if (looking_ || stopping_ || rounds_.size() >= std::max<std::size_t>(1, options_.threads)) return;
  if (options_.threads == 0) return rest();
  looking_ = true;
  auto found = std::make_shared<Survey>();
  home_.blocking([this, found] { survey(*found); },
                 [this, found] {
                   looking_ = false;
                   if (stopping_) return end_if_stopped();
                   begin_rounds(found);
                 });
}

void Cleaner::survey(Survey& survey) {
  if (!loaded_) {
    auto loaded = offsets_.load();
    if (!loaded) {
      diag_.warn("cleaner", "the checkpoint of compaction does not read; logs are compacted anew",
                 {{"error", loaded.error().what}});
    }
    loaded_ = true;
  }
  if (directory_.failed()) return;
  for (const auto& log : list_()) survey_one(survey, log);
  for (const auto& [name, offset] : offsets_.all()) {
    if (!survey.present.contains(name)) offsets_.erase(name);
  }
  std::erase_if(known_, [&](const auto& known) { return !survey.present.contains(known.first); });
  std::ranges::sort(survey.candidates, [](const Candidate& a, const Candidate& b) {
    if (a.dirty.ratio != b.dirty.ratio) return a.dirty.ratio > b.dirty.ratio;
    return a.log->name() < b.log->name();
  });
}

namespace {

// The first batch of a segment says how old it is; nothing is known when it does not read.
base::WallMs first_timestamp(const Segment& segment) {
  auto file = segment.file();
  if (!file) return -1;
  std::array<std::byte, record::kHeaderSize> header;
  const auto got = (*file)->read_at(header, 0);
  if (!got || *got < header.size()) return -1;
  return base::load_be<std::int64_t>(header.data() + record::Layout::kMaxTimestamp);
}

}  // namespace

void Cleaner::survey_one(Survey& survey, const std::shared_ptr<CleanableLog>& log) {
  const PartitionName name = log->name();
  survey.present.insert(name);
  Candidate candidate{.log = log, .policy = log->policy(), .view = {}, .dirty = {}};
  if (!candidate.policy.compacts) return;
  const CompactLimits& limits = candidate.policy.limits;
  const base::Offset stable = log->stable_end();
  io::IoResult<CompactionView> view;
  Known now;
  log->with_log([&](Log& seen) {
    view = seen.compaction_view(limits.min_lag_ms > 0);
    now = {seen.topic_id(), seen.truncations()};
  });
  if (!view) {
    diag_.warn("cleaner", "a log cannot be looked at",
               {{"partition", name.to_string()}, {"error", view.error().what}});
    return;
  }
  const auto known = known_.find(name);
  const bool same = known == known_.end() || (known->second.topic_id == now.topic_id &&
                                              known->second.truncations == now.truncations);
  // Another log by the same name, or one that was cut: what was compacted there says nothing.
  if (!same) offsets_.erase(name);
  known_[name] = now;
  if (view->segments.empty()) return;
  if (limits.max_lag_ms < std::numeric_limits<std::int64_t>::max()) {
    for (std::size_t i = 0; i < view->facts.size(); ++i) {
      auto& timestamp = view->facts[i].first_timestamp;
      if (timestamp < 0) timestamp = first_timestamp(*view->segments[i]);
    }
  }
  candidate.dirty =
      find_dirty(view->facts, view->start, offsets_.get(name), stable, clock_.wall_ms(), limits);
  survey.dirty_ratio_max = std::max(survey.dirty_ratio_max, candidate.dirty.ratio);
  survey.overdue_ms_max = std::max(survey.overdue_ms_max, candidate.dirty.overdue_ms);
  if (!candidate.dirty.wanted) return;
  candidate.view = std::move(*view);
  survey.candidates.push_back(std::move(candidate));
}

// ---- rounds

std::shared_ptr<Cleaner::Round> Cleaner::make_round(Candidate candidate) {
  auto round = std::make_shared<Round>();
  round->name = candidate.log->name();
  const auto& policy = candidate.policy;
  const auto log = candidate.log;
  const DirtyRange& dirty = candidate.dirty;
  round->bytes_per_second = options_.io_bytes_per_second / static_cast<double>(options_.threads);
  round->begun = home_.now();
  round->cleaning = std::make_unique<Cleaning>(
      log, disk_, directory_.files(), std::move(candidate.view), dirty,
      Cleaning::Options{.now = clock_.wall_ms(),
                        .delete_retention_ms = policy.delete_retention_ms,
                        .segment_bytes = policy.segment_bytes,
                        .index_interval_bytes = policy.index_interval_bytes,
                        .keys = {.bytes_max = options_.dedupe_bytes / options_.threads,
                                 .load_max = options_.load_max,
                                 .keys_max = static_cast<std::uint64_t>(dirty.end - dirty.start),
                                 .secret_low = random_.next(),
                                 .secret_high = random_.next()},
                        .secure = [this, log](base::Offset end) { return secure(*log, end); }});
  round->candidate = std::move(candidate);
  round->pause.on_fire([this, weak = std::weak_ptr(round)] {
    if (auto held = weak.lock()) step(std::move(held));
  });
  return round;
}

void Cleaner::begin_rounds(std::shared_ptr<Survey> survey) {
  std::erase_if(troubles_,
                [&](const auto& trouble) { return !survey->present.contains(trouble.first); });
  {
    std::lock_guard lock(stats_mutex_);
    stats_.dirty_ratio_max = survey->dirty_ratio_max;
    stats_.overdue_ms_max = survey->overdue_ms_max;
    std::erase_if(stats_.uncleanable,
                  [&](const Failure& failure) { return !troubles_.contains(failure.name); });
  }
  for (Candidate& candidate : survey->candidates) {
    if (rounds_.size() >= options_.threads) break;
    const PartitionName name = candidate.log->name();
    const auto trouble = troubles_.find(name);
    const bool waits = trouble != troubles_.end() && trouble->second.retry_at > home_.now();
    if (waits || rounds_.contains(name)) continue;
    auto round = make_round(std::move(candidate));
    rounds_[name] = round;
    step(round);
  }
  {
    std::lock_guard lock(stats_mutex_);
    stats_.running = rounds_.size();
  }
  if (rounds_.size() < options_.threads) rest();
}

void Cleaner::step(std::shared_ptr<Round> round) {
  round->step_begun = home_.now();
  home_.blocking(
      [round, bytes = options_.step_bytes] { round->progress = round->cleaning->step(bytes); },
      [this, round] { on_step(round); });
}

void Cleaner::on_step(std::shared_ptr<Round> round) {
  const bool more = round->progress && *round->progress == Cleaning::Progress::kMore;
  if (!more || stopping_) return end_round(std::move(round));
  if (round->bytes_per_second > 0) {
    const double seconds =
        static_cast<double>(round->cleaning->step_bytes()) / round->bytes_per_second;
    const base::Instant due =
        round->step_begun + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                std::min(seconds, 3600.0) * 1'000'000'000));
    if (due > home_.now()) return home_.timers().set(round->pause, due);
  }
  step(std::move(round));
}

namespace {

// Says something about one log, or will pass; anything else about the disk.
bool is_log_matter(const io::IoError& error) {
  constexpr int kCodes[] = {ENOENT, ECANCELED, EAGAIN, EBADMSG, EMSGSIZE, EFBIG};
  return is_full_disk(error) || std::ranges::find(kCodes, error.code) != std::end(kCodes);
}

}  // namespace

// Notes how far it got, durably, and gives back what it holds, away from the home.
void Cleaner::end_round(std::shared_ptr<Round> round) {
  home_.blocking(
      [this, round] {
        const bool done = round->progress && *round->progress == Cleaning::Progress::kDone;
        if (done) {
          auto written = checkpoint(round->name, round->cleaning->cleaned_end());
          if (!written) round->progress = std::unexpected(written.error());
        } else if (!round->progress) {
          const io::IoError& error = round->progress.error();
          if (!is_log_matter(error)) directory_.health().fail(error);
        }
        note_work(*round);
        if (!done) round->cleaning->abandon();
        round->cleaning.reset();
      },
      [this, round] {
        rounds_.erase(round->name);
        if (round->progress) {
          note_success(*round);
        } else {
          note_failure(*round);
        }
        if (stopping_) return end_if_stopped();
        look();  // the failed one waits
      });
}

void Cleaner::note_work(Round& round) {
  round.stats = round.cleaning->stats();
  round.cleaned_end = round.cleaning->cleaned_end();
  std::lock_guard lock(stats_mutex_);
  stats_.bytes_read += round.stats.bytes_read;
  stats_.bytes_written += round.stats.bytes_written;
  stats_.records_read += round.stats.records_read;
  stats_.records_kept += round.stats.records_kept;
  stats_.key_map_load = round.cleaning->key_map_load();
}

void Cleaner::note_success(const Round& round) {
  if (*round.progress != Cleaning::Progress::kDone) return;  // stopped on the way
  const auto trouble = troubles_.find(round.name);
  const bool was_named = trouble != troubles_.end() && trouble->second.times > 0;
  troubles_.erase(round.name);
  if (was_named) {
    diag_.info("cleaner", "a log that could not be compacted was",
               {{"partition", round.name.to_string()}});
  }
  const CompactStats& stats = round.stats;
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(home_.now() - round.begun);
  diag_.info("cleaner", "compacted",
             {{"partition", round.name.to_string()},
              {"from", std::to_string(round.candidate.dirty.start.value())},
              {"to", std::to_string(round.cleaned_end.value())},
              {"keys", std::to_string(stats.keys)},
              {"records_read", std::to_string(stats.records_read)},
              {"records_kept", std::to_string(stats.records_kept)},
              {"bytes_read", std::to_string(stats.bytes_read)},
              {"bytes_written", std::to_string(stats.bytes_written)},
              {"ms", std::to_string(took.count())}});
  std::lock_guard lock(stats_mutex_);
  ++stats_.rounds;
  stats_.running = rounds_.size();
  std::erase_if(stats_.uncleanable,
                [&](const Failure& failure) { return failure.name == round.name; });
}

void Cleaner::note_failure(const Round& round) {
  const io::IoError& error = round.progress.error();
  Trouble& trouble = troubles_[round.name];
  if (error.code == ENOENT || error.code == ECANCELED || error.code == EAGAIN) {
    // It went another way: nothing is wrong with it.
    trouble.retry_at = home_.now() + options_.backoff;
    std::lock_guard lock(stats_mutex_);
    stats_.running = rounds_.size();
    return;
  }
  trouble.why = error.what;
  ++trouble.times;
  const auto shift = std::min<std::uint64_t>(trouble.times - 1, 20);
  const base::Duration wait =
      std::min(options_.retry_max, options_.backoff * (std::int64_t{1} << shift));
  trouble.retry_at = home_.now() + wait;
  diag_.error(
      "cleaner", "a log cannot be compacted; it is tried again",
      {{"partition", round.name.to_string()},
       {"error", error.what},
       {"times", std::to_string(trouble.times)},
       {"again_in_ms",
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count())}});
  std::lock_guard lock(stats_mutex_);
  ++stats_.failures;
  stats_.running = rounds_.size();
  std::erase_if(stats_.uncleanable,
                [&](const Failure& failure) { return failure.name == round.name; });
  stats_.uncleanable.push_back({round.name, trouble.why, trouble.times});
}

// ---- durability

io::IoResult<void> Cleaner::secure(CleanableLog& log, base::Offset end) {
  base::Offset point{0};
  log.with_log([&](Log& seen) { point = seen.recovery_point(); });
  if (point < end) return io::io_failure(EAGAIN, "the recovery point is behind");
  directory_.note_recovery_point(log.name(), point);
  return directory_.write_recovery_points();
}

io::IoResult<void> Cleaner::checkpoint(const PartitionName& name, base::Offset offset) {
  offsets_.set(name, offset);
  auto written = offsets_.write();
  if (!written && !is_full_disk(written.error())) directory_.health().fail(written.error());
  return written;
}

}  // namespace broker
