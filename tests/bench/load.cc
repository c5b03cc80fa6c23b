// bench_load: the client of `./dev bench`. One subcommand is one load; the last line of its output
// is a JSON object. tests/bench/run starts it.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/bench/commands.h"

namespace {

void add_client_options(CLI::App* app, bench::ClientOptions& client) {
  app->add_option("--bootstrap", client.bootstrap, "HOST:PORT of the broker")->required();
  app->add_option("--topic", client.topic)->required();
  app->add_option("--set", client.settings, "librdkafka's KEY=VALUE; may be repeated");
  app->add_option("--pid", client.broker_pid, "the broker's process, to measure its CPU time");
}

void add_produce_options(CLI::App* app, bench::ProduceOptions& options) {
  app->add_option("--records", options.records)->required();
  app->add_option("--warm", options.warm_records, "records before the measurement");
  app->add_option("--rate", options.rate, "records/s offered (default: as fast as they go)");
  app->add_option("--size", options.record_size, "bytes of a record's value");
  app->add_flag("--text", options.text, "text that compresses, instead of random bytes");
  app->add_option("--keys", options.keys, "distinct keys of 8 bytes (default: no key)");
  app->add_option("--seed", options.seed);
}

void add_consume_options(CLI::App* app, bench::ConsumeOptions& options) {
  app->add_option("--records", options.records, "records in the topic")->required();
  app->add_option("--partitions", options.partitions);
  app->add_option("--warm-passes", options.warm_passes);
  app->add_option("--passes", options.passes);
}

void add_open_loop_options(CLI::App* app, bench::OpenLoopOptions& options) {
  app->add_option("--rate", options.rate, "records/s")->check(CLI::Range(1, 1'000'000));
  app->add_option("--seconds", options.seconds);
  app->add_option("--warm-seconds", options.warm_seconds);
  app->add_option("--size", options.record_size, "bytes of a record's value");
  app->add_option("--seed", options.seed);
}

void add_transact_options(CLI::App* app, bench::TransactOptions& options) {
  app->add_option("--every-ms", options.every_ms, "between two commits");
  app->add_option("--records", options.records_per_commit, "in one transaction");
  app->add_option("--seconds", options.seconds);
  app->add_option("--warm-seconds", options.warm_seconds);
  app->add_option("--size", options.record_size, "bytes of a record's value");
  app->add_option("--seed", options.seed);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("the load generator of ./dev bench");
  app.require_subcommand(1);
  bench::ClientOptions client;
  bench::ProduceOptions produce_options;
  bench::ConsumeOptions consume_options;
  bench::OpenLoopOptions open_loop_options;
  bench::TransactOptions transact_options;
  auto* produce = app.add_subcommand("produce", "a fixed volume, at an offered rate");
  auto* consume = app.add_subcommand("consume", "a whole topic, several times");
  auto* open_loop = app.add_subcommand("openloop", "latency on a fixed schedule");
  auto* transact = app.add_subcommand("transact", "transactions, one after the other");
  for (auto* each : {produce, consume, open_loop, transact}) add_client_options(each, client);
  add_produce_options(produce, produce_options);
  add_consume_options(consume, consume_options);
  add_open_loop_options(open_loop, open_loop_options);
  add_transact_options(transact, transact_options);
  CLI11_PARSE(app, argc, argv);

  nlohmann::json result;
  if (produce->parsed()) result = bench::produce(client, produce_options);
  if (consume->parsed()) result = bench::consume(client, consume_options);
  if (open_loop->parsed()) result = bench::open_loop(client, open_loop_options);
  if (transact->parsed()) result = bench::transact(client, transact_options);
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
