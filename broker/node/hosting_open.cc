// One partition on its way into the table: found in one of the log directories, or made in one.
#include <cerrno>

#include "broker/node/hosting_round.h"
#include "broker/node/isr_change_sink.h"

namespace broker {

void Hosting::open_one(Round& round, Opening& opening) {
  auto found = directories_.holding(opening.name, opening.told);
  if (!found) return opening.fail(found.error());
  std::unique_ptr<Log> log;
  LogStore* store = *found != nullptr ? open_there(**found, opening, log) : nullptr;
  if (store == nullptr && !opening.error.empty()) return;
  if (store == nullptr) store = create(round, opening, log);
  if (store == nullptr) return;
  set_leftovers_aside(*store, opening);
  const auto known = store->directory->high_watermark_of(opening.name);
  opening.opened = std::make_shared<Partition>(
      Partition::Identity{opening.name.topic, opening.topic_id, opening.name.partition},
      std::move(log), opening.config, replica_services(*store), known.value_or(base::Offset(0)));
  ++shared_->open;
}

// Null without an error: there was something else of this name, which is out of the way now.
LogStore* Hosting::open_there(LogStore& store, Opening& opening, std::unique_ptr<Log>& log) {
  LogDirectory& directory = *store.directory;
  auto opened =
      directory.open_partition(opening.name, log_config(*opening.config), node_.clock.wall_ms());
  if (!opened) {
    opening.fail(opened.error());
    return nullptr;
  }
  const auto found = opened->log->topic_id();
  if (found && *found != opening.topic_id) {
    opened->log.reset();
    auto moved = directory.set_aside(opening.name, *found,
                                     "a directory of another topic of this name is set aside");
    if (moved) {
      --store.partitions;
    } else {
      opening.fail(moved.error());
    }
    return nullptr;
  }
  if (!found) {
    // Copied in from elsewhere: from now on it belongs to this topic.
    auto adopted =
        disk_.replace_file(directory.partition_path(opening.name) + "/partition.metadata",
                           "version: 0\ntopic_id: " + opening.topic_id.to_string() + "\n");
    if (!adopted) {
      opening.fail(adopted.error());
      return nullptr;
    }
  }
  shared_->recovered_bytes += opened->report.scanned_bytes;
  if (opened->report.truncated_bytes > 0 || opened->report.removed_segments > 0) {
    node_.diag.warn("log", "recovery cut off what was not known to be durable",
                    {{"partition", opening.name.to_string()},
                     {"truncated_bytes", std::to_string(opened->report.truncated_bytes)},
                     {"removed_segments", std::to_string(opened->report.removed_segments)},
                     {"why", opened->report.why}});
  }
  log = std::move(opened->log);
  return &store;
}

// One day it might be all that can be read, and must not be taken for the partition then. What
// cannot be set aside waits for the next start: as long as `held_by` is told of, it does not count.
void Hosting::set_leftovers_aside(const LogStore& held_by, const Opening& opening) {
  for (LogStore* store : directories_.leftovers(opening.name, held_by)) {
    auto moved = store->directory->set_aside(
        opening.name, opening.topic_id,
        "a partition is in another log directory: what was left of it in this one is set aside");
    if (moved) {
      --store->partitions;
    } else {
      node_.diag.warn("log", "what was left of a partition could not be set aside",
                      {{"partition", opening.name.to_string()}, {"error", moved.error().what}});
    }
  }
}

LogStore* Hosting::create(Round& round, Opening& opening, std::unique_ptr<Log>& log) {
  if (opening.told && directories_.is_out_of_reach(*opening.told)) {
    opening.fail({EIO, "its log directory is out of service"});
    return nullptr;
  }
  LogStore* store = directories_.take_place(opening.wanted);
  if (store == nullptr) {
    opening.fail({EIO, "no log directory is in service"});
    return nullptr;
  }
  auto made = store->directory->create_partition(
      opening.name, opening.topic_id, log_config(*opening.config), node_.clock.wall_ms(),
      round.together ? LogDirectory::Durable::kLater : LogDirectory::Durable::kNow);
  if (!made) {
    --store->partitions;
    opening.fail(made.error());
    return nullptr;
  }
  log = std::move(*made);
  if (round.together) store->unsynced = true;
  round.created = true;
  return store;
}

ReplicaServices Hosting::replica_services(LogStore& store) {
  return {.self = node_.broker_id,
          .flusher = store.flusher,
          .directory = store.directory.get(),
          .clock = &node_.clock,
          .diag = &node_.diag,
          .lag_max = std::chrono::milliseconds(node_.config.replica_lag_time_max_ms),
          .isr_change_wanted = [&node = node_](std::shared_ptr<Partition> partition) {
            if (node.isr_changes != nullptr) {
              node.isr_changes->isr_change_wanted(std::move(partition));
            }
          }};
}

}  // namespace broker
