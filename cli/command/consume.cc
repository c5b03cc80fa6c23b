// moldau consume: records become lines.
#include <fmt/format.h>

#include <algorithm>

#include "cli/client/fetcher.h"
#include "cli/client/group_member.h"
#include "cli/client/group_offsets.h"
#include "cli/client/interrupt.h"
#include "cli/client/offsets.h"
#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/text/message_format.h"
#include "cli/text/offset_spec.h"
#include "cli/text/when.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

struct ConsumeOptions {
  std::vector<std::string> topics;
  std::vector<std::string> offsets;
  std::string from;
  std::string to;
  std::vector<std::int32_t> partitions;
  std::string group;
  bool no_commit = false;
  std::int64_t count = -1;
  bool exit_at_end = false;
  std::string format = "text";
  bool keys = false;
  bool headers = false;
  std::string isolation = "committed";
};

// From where to where, as the options say.
struct Span {
  std::optional<OffsetSpec> start;
  std::optional<base::WallMs> until;
};

base::WallMs time_of(const std::string& option, const std::string& text) {
  auto when = parse_when(text, Context::now());
  if (when) return *when;
  throw usage_failure(fmt::format("{} {}: not a time", option, text),
                      "for example 2026-01-31T12:00:00Z, 15m (ago) or milliseconds since 1970");
}

// A time, or one of the words of --offset.
OffsetSpec place_of(const std::string& text) {
  if (auto when = parse_when(text, Context::now())) {
    return {OffsetSpec::Kind::kTimestamp, *when};
  }
  auto spec = parse_offset_spec(text, Context::now());
  if (spec && spec->kind != OffsetSpec::Kind::kUntil) return *spec;
  return {OffsetSpec::Kind::kTimestamp, time_of("--from", text)};
}

Span span_of(const ConsumeOptions& options) {
  Span span;
  for (const std::string& text : options.offsets) {
    auto spec = parse_offset_spec(text, Context::now());
    if (!spec) {
      throw usage_failure(fmt::format("--offset {}: not an offset", text),
                          "beginning, end, stored, N, -N, s@TIME or e@TIME");
    }
    if (spec->kind == OffsetSpec::Kind::kUntil) {
      span.until = spec->value;
    } else if (span.start) {
      throw usage_failure("--offset: two places to start from");
    } else {
      span.start = *spec;
    }
  }
  if (!options.from.empty()) {
    if (span.start) throw usage_failure("--from and --offset both say where to start");
    span.start = place_of(options.from);
  }
  if (!options.to.empty()) {
    if (span.until) throw usage_failure("--to and --offset e@ both say where to stop");
    span.until = time_of("--to", options.to);
  }
  bool stored = span.start && span.start->kind == OffsetSpec::Kind::kStored;
  if (stored && options.group.empty()) {
    throw usage_failure("--offset stored: whose?", "add --group");
  }
  return span;
}

MessageFormat text_format_of(const ConsumeOptions& options) {
  std::string format = options.format;
  if (format == "text") {
    format = options.keys ? "%k\\t%v" : "%v";
    if (options.headers) format = "%h\\t" + format;
  }
  auto parsed = MessageFormat::parse(format);
  if (parsed) return std::move(*parsed);
  throw usage_failure(fmt::format("--format: {}", parsed.error()),
                      "json, or for example '%t %p %o %k %v'; the letters are in --help");
}

// Prints records and counts them.
class Printer {
 public:
  Printer(const ConsumeOptions& options, Context& context)
      : context_(context),
        json_(context.json() || options.format == "json"),
        format_(json_ ? MessageFormat() : text_format_of(options)),
        left_(options.count) {}

  // False when it was the last one wanted.
  bool show(const Message& message) {
    line_.clear();
    if (json_) {
      append_json_line(message, line_);
    } else {
      format_.append(message, line_);
    }
    context_.print(line_);
    if (left_ > 0) --left_;
    return left_ != 0;
  }
  bool enough() const { return left_ == 0; }

 private:
  Context& context_;
  bool json_;
  MessageFormat format_;
  std::int64_t left_;  // negative: no limit
  std::string line_;
};

// Finds each partition's place to start and to stop.
class Planner {
 public:
  Planner(Cluster& cluster, const ConsumeOptions& options, Span span)
      : cluster_(cluster), options_(options), span_(span) {}

  // `stored` holds what the group has committed.
  void assign(Fetcher& fetcher, const TopicInfo& topic, const std::vector<std::int32_t>& partitions,
              const std::map<TopicPartition, CommittedOffset>& stored) {
    if (partitions.empty()) return;
    auto starts = list(topic, partitions, kEarliest);
    auto ends = list(topic, partitions, kLatest);
    auto by_time = span_.start && span_.start->kind == OffsetSpec::Kind::kTimestamp
                       ? list(topic, partitions, span_.start->value)
                       : Offsets(partitions.size());
    auto until = span_.until ? list(topic, partitions, *span_.until) : Offsets(partitions.size());
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      std::int64_t start = starts[i].value_or(0);
      std::int64_t end = ends[i].value_or(start);
      Fetcher::Range range;
      auto committed = stored.find({topic.name, partitions[i]});
      range.next = committed != stored.end() ? committed->second.offset
                                             : first_offset(start, end, by_time[i]);
      if (options_.exit_at_end) range.end = end;
      if (span_.until) stop(range, until[i], end);
      fetcher.assign(topic, partitions[i], range);
    }
  }

 private:
  using Offsets = std::vector<std::optional<std::int64_t>>;

  Offsets list(const TopicInfo& topic, const std::vector<std::int32_t>& partitions,
               std::int64_t timestamp) {
    std::vector<OffsetQuery> queries;
    for (std::int32_t partition : partitions) queries.push_back({partition, timestamp});
    return list_offsets(cluster_, topic, queries, options_.isolation == "committed");
  }

  std::int64_t first_offset(std::int64_t start, std::int64_t end,
                            std::optional<std::int64_t> by_time) const {
    if (!span_.start) return start;
    switch (span_.start->kind) {
      case OffsetSpec::Kind::kBeginning:
      case OffsetSpec::Kind::kStored:
      case OffsetSpec::Kind::kUntil:
        return start;
      case OffsetSpec::Kind::kEnd:
        return end;
      case OffsetSpec::Kind::kAbsolute:
        return span_.start->value;
      case OffsetSpec::Kind::kFromEnd:
        return std::max(start, end - span_.start->value);
      case OffsetSpec::Kind::kTimestamp:
        return by_time.value_or(end);
    }
    return start;
  }

  // A time that has passed is a place in the log; one to come is met by its first record.
  void stop(Fetcher::Range& range, std::optional<std::int64_t> at, std::int64_t end) const {
    if (at || *span_.until <= Context::now()) {
      range.end = std::min(range.end.value_or(INT64_MAX), at.value_or(end));
    } else {
      range.end_time = *span_.until;
    }
  }

  Cluster& cluster_;
  const ConsumeOptions& options_;
  Span span_;
};

std::vector<std::int32_t> partitions_of(const ConsumeOptions& options, const TopicInfo& topic) {
  std::vector<std::int32_t> all;
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    all.push_back(static_cast<std::int32_t>(i));
  }
  if (options.partitions.empty()) return all;
  for (std::int32_t partition : options.partitions) {
    if (partition >= 0 && static_cast<std::size_t>(partition) < all.size()) continue;
    throw Failure(fmt::format("topic {} has no partition {}", topic.name, partition),
                  fmt::format("its partitions are 0 to {}", all.size() - 1));
  }
  return options.partitions;
}

Fetcher make_fetcher(const ConsumeOptions& options, Context& context, milliseconds long_poll) {
  return Fetcher(context.cluster(),
                 {.read_committed = options.isolation == "committed", .long_poll = long_poll},
                 [&context](const std::string& text) { context.remark("warning: " + text); });
}

// Without a group: all partitions, from where the options say.
void consume_alone(const ConsumeOptions& options, const Span& span, Printer& printer,
                   Context& context) {
  Fetcher fetcher = make_fetcher(options, context, milliseconds(500));
  Planner planner(context.cluster(), options, span);
  for (const std::string& name : options.topics) {
    TopicInfo topic = context.cluster().topic(name);
    planner.assign(fetcher, topic, partitions_of(options, topic), {});
  }
  while (!fetcher.finished() && !printer.enough()) {
    fetcher.poll(milliseconds(1000), [&](const Message& message) { return printer.show(message); });
    context.flush();
  }
}

// As a member of a group: the partitions that it is given, from the committed offsets on.
class GroupConsumer {
 public:
  GroupConsumer(const ConsumeOptions& options, const Span& span, Printer& printer, Context& context)
      : options_(options),
        span_(span),
        printer_(printer),
        context_(context),
        fetcher_(make_fetcher(options, context, milliseconds(250))),
        planner_(context.cluster(), options, span),
        member_(context.cluster(), options.group, options.topics) {}

  void run() {
    try {
      join();
      while (!printer_.enough() && !(bounded_ && fetcher_.finished())) step();
      store();
    } catch (const Interrupted&) {
      store();
    }
    member_.leave();
  }

 private:
  void join() {
    fetcher_.clear();
    shown_.clear();
    Assignment assignment = member_.join();
    auto stored = fetch_committed(context_.cluster(), options_.group, true);
    for (const auto& [name, partitions] : assignment) {
      planner_.assign(fetcher_, context_.cluster().topic(name), partitions, stored);
    }
    next_commit_ = Deadline::in(kCommitInterval);
    bounded_ = options_.exit_at_end || span_.until.has_value();
  }

  void step() {
    fetcher_.poll(milliseconds(250),
                  [&](const Message& message) { return printer_.show(message); });
    context_.flush();
    shown_ = fetcher_.positions();
    if (next_commit_.passed() && !store()) return join();
    if (!member_.beat()) {
      store();
      join();
    }
  }

  // Commits what was printed. False when our place in the group is lost.
  bool store() {
    context_.flush();
    shown_ = fetcher_.positions();
    next_commit_ = Deadline::in(kCommitInterval);
    if (options_.no_commit || shown_ == committed_) return true;
    bool kept = member_.commit(shown_);
    if (kept) committed_ = shown_;
    return kept;
  }

  static constexpr milliseconds kCommitInterval{5000};
  const ConsumeOptions& options_;
  Span span_;
  Printer& printer_;
  Context& context_;
  Fetcher fetcher_;
  Planner planner_;
  GroupMember member_;
  std::map<TopicPartition, std::int64_t> shown_;
  std::map<TopicPartition, std::int64_t> committed_;
  Deadline next_commit_ = Deadline::in(kCommitInterval);
  bool bounded_ = false;
};

void consume(const ConsumeOptions& options, Context& context) {
  Span span = span_of(options);
  Printer printer(options, context);
  if (printer.enough()) return;
  if (!options.group.empty() && !options.partitions.empty()) {
    throw usage_failure("--group and --partition: a group deals out the partitions itself");
  }
  catch_interrupts();
  try {
    if (options.group.empty()) {
      consume_alone(options, span, printer, context);
    } else {
      GroupConsumer(options, span, printer, context).run();
    }
  } catch (const Interrupted&) {
    // Ctrl-C is how one stops; what was read is printed.
  }
}

}  // namespace

void add_consume_command(CLI::App& root, Context& context) {
  auto options = std::make_shared<ConsumeOptions>();
  CLI::App* command =
      add_leaf(root, context, "consume", "Print records of topics", options, consume);
  command->add_option("TOPIC", options->topics, "Topics to read")->required();
  add_repeatable(*command, "-o,--offset", options->offsets,
                 "Where to start: beginning (default), end, stored, N, -N (the last N), s@TIME; "
                 "e@TIME: where to stop",
                 "WHERE");
  command->add_option("--from", options->from, "Start at this time, at the beginning or at the end")
      ->type_name("TIME");
  command->add_option("--to", options->to, "Stop at this time")->type_name("TIME");
  add_repeatable(*command, "-p,--partition", options->partitions, "Only this partition", "N");
  command
      ->add_option("-g,--group", options->group,
                   "Join this group: share the partitions, go on from what it committed")
      ->type_name("GROUP");
  command->add_flag("--no-commit", options->no_commit, "Leave the group's offsets as they are");
  command->add_option("-n,--count", options->count, "End after so many records")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, INT64_MAX));
  command->add_flag("-e,--exit-at-end", options->exit_at_end,
                    "End at what is the end of the topic now");
  command
      ->add_option("-f,--format", options->format,
                   "text (default), json, or a format in the letters below")
      ->type_name("FORMAT");
  command->add_flag("--keys", options->keys, "Print the key and a tab before the value");
  command->add_flag("--headers", options->headers, "Print the headers and a tab before the rest");
  command
      ->add_option("--isolation", options->isolation,
                   "Also what open and aborted transactions wrote, or not")
      ->check(CLI::IsMember({"committed", "uncommitted"}));
  command->footer(
      "Formats: %t topic, %p partition, %o offset, %k key, %v value, %h headers, %T timestamp in\n"
      "ms, %d timestamp as a date, %K %V sizes of key and value (-1: null), %e leader epoch, %%;\n"
      "\\n \\t \\r \\0 \\\\ \\xHH. A line ends after each record unless there is a \\n or a \\c at "
      "the end.\n"
      "Times: 2026-01-31, 2026-01-31T12:00:00Z, 15m or 2h or 7d (ago), milliseconds since 1970.\n"
      "Examples:\n"
      "  moldau consume orders -o -10 -e -f '%p %o %k %v'\n"
      "  moldau consume orders --from 1h --format json | jq .value\n"
      "  moldau consume orders -g billing");
}

}  // namespace cli
