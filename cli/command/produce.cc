// moldau produce: lines of the standard input become records.
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "cli/client/interrupt.h"
#include "cli/client/producer.h"
#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/command/line_input.h"
#include "cli/text/line_format.h"
#include "cli/text/quantity.h"
#include "cli/text/when.h"

namespace cli {
namespace {

struct ProduceOptions {
  std::string topic;
  std::string key;
  bool has_key = false;
  std::string key_delimiter;
  std::vector<std::string> headers;
  std::string compression = "none";
  std::string acks = "all";
  std::int32_t partition = -1;
  std::string timestamp;
  std::string format = "text";
  bool empty_is_null = false;
  bool verbose = false;
};

LineFormat line_format_of(const ProduceOptions& options) {
  LineFormat format;
  format.json = options.format == "json";
  format.key_delimiter = options.key_delimiter;
  format.empty_is_null = options.empty_is_null;
  if (options.has_key) format.defaults.key = options.key;
  if (options.partition >= 0) format.defaults.partition = options.partition;
  for (const std::string& header : options.headers) {
    auto pair = parse_pair(header);
    if (!pair) throw usage_failure(fmt::format("--header {}: not NAME=VALUE", header));
    format.defaults.headers.emplace_back(pair->first, pair->second);
  }
  if (!options.timestamp.empty()) {
    auto when = parse_when(options.timestamp, Context::now());
    if (!when) {
      throw usage_failure(fmt::format("--timestamp {}: not a time", options.timestamp),
                          "for example 2026-01-31T12:00:00Z, 15m (ago) or milliseconds since 1970");
    }
    format.defaults.timestamp = *when;
  }
  return format;
}

// What was acknowledged, told as it comes or at the end.
class Report {
 public:
  Report(const ProduceOptions& options, Context& context) : options_(options), context_(context) {}

  void add(const Delivery& delivery) {
    ++records_;
    if (delivery.offset) {
      auto& [first, last] =
          offsets_.try_emplace(delivery.partition, *delivery.offset, *delivery.offset)
              .first->second;
      last = *delivery.offset;
    }
    if (!options_.verbose) return;
    if (context_.json()) {
      Json json{{"topic", options_.topic},
                {"partition", delivery.partition},
                {"offset", delivery.offset ? Json(*delivery.offset) : Json(nullptr)},
                {"timestamp", delivery.timestamp}};
      context_.print(json.dump() + "\n");
    } else {
      context_.print(fmt::format("{} {} {}\n", options_.topic, delivery.partition,
                                 delivery.offset ? std::to_string(*delivery.offset) : "-"));
    }
  }

  void finish() {
    if (options_.verbose) return;
    if (context_.json()) {
      Json partitions = Json::array();
      for (const auto& [partition, range] : offsets_) {
        partitions.push_back({{"partition", partition},
                              {"first_offset", range.first},
                              {"last_offset", range.second}});
      }
      context_.print_json({{"topic", options_.topic},
                           {"records", records_},
                           {"partitions", std::move(partitions)}});
    } else if (context_.stderr_is_terminal()) {
      context_.remark(fmt::format("{} to {}", counted(records_, "record"), options_.topic));
    }
  }

  std::int64_t records() const { return records_; }

 private:
  const ProduceOptions& options_;
  Context& context_;
  std::int64_t records_ = 0;
  std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> offsets_;
};

// How long a record waits for company when the input pauses.
constexpr std::chrono::milliseconds kLinger{5};

// Reads on while lines are there; sends when it would have to wait for one.
void pump(LineInput& input, const LineFormat& format, Producer& producer, Context& context) {
  std::string line;
  Deadline linger = Deadline::in(kLinger);
  while (true) {
    auto state =
        producer.empty() ? input.next(line, std::nullopt) : input.next(line, linger.left());
    if (state == LineInput::State::kEnd) break;
    if (state == LineInput::State::kNothingYet) {
      producer.flush();
      context.flush();
      continue;
    }
    if (format.json && line.empty()) continue;
    auto record = parse_line(line, format);
    if (!record) {
      producer.flush();
      throw Failure(fmt::format("line {} of the input: {}", input.number(), record.error()));
    }
    if (producer.empty()) linger = Deadline::in(kLinger);
    producer.add(std::move(*record), Context::now());
  }
  producer.flush();
  producer.drain();
}

void produce(const ProduceOptions& options, Context& context) {
  LineFormat format = line_format_of(options);
  auto codec = record::codec_from_name(options.compression);
  if (!codec) throw usage_failure(fmt::format("--compression {}: unknown", options.compression));
  Producer::Options settings{.codec = *codec};
  settings.acks = options.acks == "all" ? std::int16_t{-1} : options.acks == "1" ? 1 : 0;
  catch_interrupts();
  Report report(options, context);
  Producer producer(context.cluster(), options.topic, settings,
                    [&](const Delivery& delivery) { report.add(delivery); });
  if (isatty(STDIN_FILENO) && context.stderr_is_terminal()) {
    context.remark("one record a line; Ctrl-D ends");
  }
  LineInput input(STDIN_FILENO);
  try {
    pump(input, format, producer, context);
  } catch (const Interrupted&) {
    // Ctrl-C at the prompt: what was typed before is sent already.
    if (!producer.empty()) throw;
  } catch (const Failure& failure) {
    throw Failure(fmt::format("{}; {} acknowledged before", failure.message(),
                              counted(report.records(), "record")),
                  failure.hint(), failure.exit());
  }
  report.finish();
}

}  // namespace

void add_produce_command(CLI::App& root, Context& context) {
  auto options = std::make_shared<ProduceOptions>();
  CLI::App* command =
      add_leaf(root, context, "produce", "Send lines of the input as records", options,
               [](ProduceOptions& set, Context& run_context) { produce(set, run_context); });
  command->add_option("TOPIC", options->topic, "Where to")->required();
  auto raw = options.get();
  command
      ->add_option_function<std::string>(
          "-k,--key",
          [raw](const std::string& key) {
            raw->key = key;
            raw->has_key = true;
          },
          "Key of every record")
      ->type_name("KEY");
  command
      ->add_option("-K,--key-delimiter", options->key_delimiter,
                   "Each line is a key, this, and a value")
      ->type_name("TEXT");
  add_repeatable(*command, "-H,--header", options->headers, "Header of every record", "NAME=VALUE");
  command->add_option("-z,--compression", options->compression, "Codec of the batches")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}));
  command
      ->add_option("-a,--acks", options->acks,
                   "Who has the record before it counts: nobody, the leader, all in sync")
      ->check(CLI::IsMember({"0", "1", "all"}));
  command
      ->add_option("-p,--partition", options->partition,
                   "Partition of every record (default: by key, else any)")
      ->type_name("N")
      ->check(CLI::Range(0, INT32_MAX));
  command->add_option("--timestamp", options->timestamp, "Time of every record (default: now)")
      ->type_name("TIME");
  command
      ->add_option("-f,--format", options->format,
                   "Lines are values, or JSON objects as `consume --format json` prints them")
      ->check(CLI::IsMember({"text", "json"}));
  command->add_flag("-Z,--empty-as-null", options->empty_is_null,
                    "An empty value is null (deletes the key of a compacted topic)");
  command->add_flag("-v,--verbose", options->verbose,
                    "Print topic, partition and offset of each record");
  command->footer(
      "Examples:\n"
      "  echo hello | moldau produce greetings\n"
      "  printf 'k1:v1\\nk2:v2\\n' | moldau produce orders -K : -H source=shell -z zstd -v");
}

}  // namespace cli
