// The configs of topics: every one of Apache Kafka 4.4, and moldau.durability.
#include "common/config/tables.h"

namespace config {
namespace {

constexpr std::string_view kCodecs[] = {"uncompressed", "zstd", "lz4",
                                        "snappy",       "gzip", "producer"};
constexpr std::string_view kPolicies[] = {"compact", "delete"};
constexpr std::string_view kTimestampTypes[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view kDurabilities[] = {"fsync", "interval", "replicated"};
constexpr auto kDefaultOnly = Effect::kDefaultOnly;

constexpr Synonym kCleanupPolicy[] = {{"log.cleanup.policy"}};
constexpr Synonym kGzipLevel[] = {{"compression.gzip.level"}};
constexpr Synonym kLz4Level[] = {{"compression.lz4.level"}};
constexpr Synonym kCompressionType[] = {{"compression.type"}};
constexpr Synonym kZstdLevel[] = {{"compression.zstd.level"}};
constexpr Synonym kDeleteRetention[] = {{"log.cleaner.delete.retention.ms"}};
constexpr Synonym kFileDeleteDelay[] = {{"log.segment.delete.delay.ms"}};
constexpr Synonym kFlushMessages[] = {{"log.flush.interval.messages"}};
constexpr Synonym kFlushMs[] = {{"log.flush.interval.ms"}, {"log.flush.scheduler.interval.ms"}};
constexpr Synonym kIndexInterval[] = {{"log.index.interval.bytes"}};
constexpr Synonym kLocalRetentionBytes[] = {{"log.local.retention.bytes"}};
constexpr Synonym kLocalRetentionMs[] = {{"log.local.retention.ms"}};
constexpr Synonym kMaxCompactionLag[] = {{"log.cleaner.max.compaction.lag.ms"}};
constexpr Synonym kMaxDecompressed[] = {{"max.decompressed.message.bytes"}};
constexpr Synonym kMaxMessage[] = {{"message.max.bytes"}};
constexpr Synonym kAfterMax[] = {{"log.message.timestamp.after.max.ms"}};
constexpr Synonym kBeforeMax[] = {{"log.message.timestamp.before.max.ms"}};
constexpr Synonym kTimestampType[] = {{"log.message.timestamp.type"}};
constexpr Synonym kDirtyRatio[] = {{"log.cleaner.min.cleanable.ratio"}};
constexpr Synonym kMinCompactionLag[] = {{"log.cleaner.min.compaction.lag.ms"}};
constexpr Synonym kMinInsync[] = {{"min.insync.replicas"}};
constexpr Synonym kDurability[] = {{"moldau.durability"}};
constexpr Synonym kPreallocate[] = {{"log.preallocate"}};
constexpr Synonym kCopyLagBytes[] = {{"log.remote.copy.lag.bytes"}};
constexpr Synonym kCopyLagMs[] = {{"log.remote.copy.lag.ms"}};
constexpr Synonym kRetentionBytes[] = {{"log.retention.bytes"}};
constexpr Synonym kRetentionMs[] = {{"log.retention.ms"},
                                    {"log.retention.minutes", kMsPerMinute},
                                    {"log.retention.hours", kMsPerHour}};
constexpr Synonym kSegmentBytes[] = {{"log.segment.bytes"}};
constexpr Synonym kSegmentIndex[] = {{"log.index.size.max.bytes"}};
constexpr Synonym kSegmentJitter[] = {{"log.roll.jitter.ms"},
                                      {"log.roll.jitter.hours", kMsPerHour}};
constexpr Synonym kSegmentMs[] = {{"log.roll.ms"}, {"log.roll.hours", kMsPerHour}};
constexpr Synonym kUnclean[] = {{"unclean.leader.election.enable"}};

constexpr Def kDefs[] = {
    {.name = "cleanup.policy",
     .type = Type::kList,
     .default_value = "delete",
     .allowed = {.one_of = kPolicies},
     .synonyms = kCleanupPolicy,
     .documentation = "What happens to old records: delete drops segments by age and size, compact "
                      "keeps the last record of each key, both do both; empty keeps everything."},
    {.name = "compression.gzip.level",
     .type = Type::kInt,
     .default_value = "-1",
     .allowed = {.check = check_gzip_level},
     .synonyms = kGzipLevel,
     .documentation = "Level used when compression.type is gzip; -1 is the library's default."},
    {.name = "compression.lz4.level",
     .type = Type::kInt,
     .default_value = "9",
     .allowed = {.min = 1, .max = 17},
     .synonyms = kLz4Level,
     .documentation = "Level used when compression.type is lz4."},
    {.name = "compression.type",
     .type = Type::kString,
     .default_value = "producer",
     .allowed = {.one_of = kCodecs},
     .synonyms = kCompressionType,
     .documentation =
         "Codec that batches are stored in. producer keeps them as they were sent; any "
         "other value makes the broker compress batches of other codecs anew."},
    {.name = "compression.zstd.level",
     .type = Type::kInt,
     .default_value = "3",
     .allowed = {.min = -131072, .max = 22},
     .synonyms = kZstdLevel,
     .documentation = "Level used when compression.type is zstd."},
    {.name = "delete.retention.ms",
     .type = Type::kLong,
     .default_value = "86400000",
     .allowed = {.min = 0},
     .synonyms = kDeleteRetention,
     .documentation =
         "How long a compacted topic keeps tombstones, so that slow readers see them."},
    {.name = "errors.deadletterqueue.group.enable",
     .type = Type::kBoolean,
     .default_value = "false",
     .effect = kDefaultOnly,
     .documentation = "Whether share groups may use this topic as their dead letter queue."},
    {.name = "file.delete.delay.ms",
     .type = Type::kLong,
     .default_value = "60000",
     .allowed = {.min = 0},
     .synonyms = kFileDeleteDelay,
     .documentation = "Time between the removal of a segment from the log and of its files."},
    {.name = "flush.messages",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 1},
     .effect = kDefaultOnly,
     .synonyms = kFlushMessages,
     .documentation = "Number of records after which Kafka flushes; use moldau.durability here."},
    {.name = "flush.ms",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 0},
     .effect = kDefaultOnly,
     .synonyms = kFlushMs,
     .documentation = "Time after which Kafka flushes; use moldau.durability here."},
    {.name = "follower.replication.throttled.replicas",
     .type = Type::kList,
     .default_value = "",
     .allowed = {.check = check_throttled_replicas},
     .documentation =
         "Replicas whose copying is throttled on the side of the followers: * or a list of "
         "PARTITION:BROKER."},
    {.name = "index.interval.bytes",
     .type = Type::kInt,
     .default_value = "4096",
     .allowed = {.min = 0},
     .synonyms = kIndexInterval,
     .documentation = "Bytes of log between two entries of the offset index."},
    {.name = "internal.segment.bytes",
     .type = Type::kInt,
     .default_value = std::nullopt,
     .allowed = {.min = 1},
     .documentation = "Overrides segment.bytes without its lower bound; for tests."},
    {.name = "leader.replication.throttled.replicas",
     .type = Type::kList,
     .default_value = "",
     .allowed = {.check = check_throttled_replicas},
     .documentation =
         "Replicas whose copying is throttled on the side of the leader: * or a list of "
         "PARTITION:BROKER."},
    {.name = "local.retention.bytes",
     .type = Type::kLong,
     .default_value = "-2",
     .allowed = {.min = -2},
     .effect = kDefaultOnly,
     .synonyms = kLocalRetentionBytes,
     .documentation = "Bytes kept on local disks when remote storage has the rest."},
    {.name = "local.retention.ms",
     .type = Type::kLong,
     .default_value = "-2",
     .allowed = {.min = -2},
     .effect = kDefaultOnly,
     .synonyms = kLocalRetentionMs,
     .documentation = "Time kept on local disks when remote storage has the rest."},
    {.name = "max.compaction.lag.ms",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 1},
     .synonyms = kMaxCompactionLag,
     .documentation = "Longest time that a record of a compacted topic may stay out of reach of "
                      "compaction; the active segment is rolled in time for it."},
    {.name = "max.decompressed.message.bytes",
     .type = Type::kInt,
     .default_value = "33554432",
     .allowed = {.min = 1, .max = 2147483639},
     .synonyms = kMaxDecompressed,
     .documentation = "Largest size of a batch's records when the broker has to decompress them."},
    {.name = "max.message.bytes",
     .type = Type::kInt,
     .default_value = "1048588",
     .allowed = {.min = 0},
     .synonyms = kMaxMessage,
     .documentation = "Largest record batch that is accepted, in bytes as sent."},
    {.name = "message.timestamp.after.max.ms",
     .type = Type::kLong,
     .default_value = "3600000",
     .allowed = {.min = 0},
     .synonyms = kAfterMax,
     .documentation = "How far a record's timestamp may lie ahead of the broker's clock."},
    {.name = "message.timestamp.before.max.ms",
     .type = Type::kLong,
     .default_value = "9223372036854775807",
     .allowed = {.min = 0},
     .synonyms = kBeforeMax,
     .documentation = "How far a record's timestamp may lie behind the broker's clock."},
    {.name = "message.timestamp.type",
     .type = Type::kString,
     .default_value = "CreateTime",
     .allowed = {.one_of = kTimestampTypes},
     .synonyms = kTimestampType,
     .documentation = "Whether records keep their producer's timestamps or get the time at which "
                      "the broker appends them."},
    {.name = "min.cleanable.dirty.ratio",
     .type = Type::kDouble,
     .default_value = "0.5",
     .allowed = {.min = 0, .max = 1},
     .synonyms = kDirtyRatio,
     .documentation = "Share of a compacted log that must be new before it is compacted again."},
    {.name = "min.compaction.lag.ms",
     .type = Type::kLong,
     .default_value = "0",
     .allowed = {.min = 0},
     .synonyms = kMinCompactionLag,
     .documentation = "Shortest time that a record stays uncompacted."},
    {.name = "min.insync.replicas",
     .type = Type::kInt,
     .default_value = "2",
     .allowed = {.min = 1},
     .synonyms = kMinInsync,
     .documentation =
         "Replicas (or all of them, if there are fewer) that must have a record before "
         "it is acknowledged with acks=all."},
    {.name = "moldau.durability",
     .type = Type::kString,
     .default_value = "fsync",
     .allowed = {.one_of = kDurabilities},
     .synonyms = kDurability,
     .documentation = "When a record counts as written: fsync after it was flushed to disk, "
                      "interval at once and flushed within 100 ms or 256 KiB, replicated at once "
                      "and left to the page cache of its replicas."},
    {.name = "preallocate",
     .type = Type::kBoolean,
     .default_value = "false",
     .effect = kDefaultOnly,
     .synonyms = kPreallocate,
     .documentation = "Whether Kafka allocates a segment's full size when it is created."},
    {.name = "remote.copy.lag.bytes",
     .type = Type::kLong,
     .default_value = "-1",
     .allowed = {.min = -1},
     .effect = kDefaultOnly,
     .synonyms = kCopyLagBytes,
     .documentation = "Bytes that the copy in remote storage may lag behind."},
    {.name = "remote.copy.lag.ms",
     .type = Type::kLong,
     .default_value = "0",
     .allowed = {.min = -1},
     .effect = kDefaultOnly,
     .synonyms = kCopyLagMs,
     .documentation = "Time that the copy in remote storage may lag behind."},
    {.name = "remote.log.copy.disable",
     .type = Type::kBoolean,
     .default_value = "false",
     .effect = kDefaultOnly,
     .documentation = "Stops copying of segments to remote storage."},
    {.name = "remote.log.delete.on.disable",
     .type = Type::kBoolean,
     .default_value = "false",
     .effect = kDefaultOnly,
     .documentation = "Whether turning remote storage off deletes what was stored there."},
    {.name = "remote.storage.enable",
     .type = Type::kBoolean,
     .default_value = "false",
     .effect = kDefaultOnly,
     .documentation = "Whether old segments move to remote storage."},
    {.name = "retention.bytes",
     .type = Type::kLong,
     .default_value = "-1",
     .synonyms = kRetentionBytes,
     .documentation = "Size beyond which a partition's oldest segments are deleted; -1 is none."},
    {.name = "retention.ms",
     .type = Type::kLong,
     .default_value = "604800000",
     .allowed = {.min = -1},
     .synonyms = kRetentionMs,
     .documentation = "Age of a segment's latest record after which it is deleted; -1 is never."},
    {.name = "segment.bytes",
     .type = Type::kInt,
     .default_value = "1073741824",
     .allowed = {.min = 1048576},
     .synonyms = kSegmentBytes,
     .documentation = "Size at which a new segment is begun. Retention drops whole segments."},
    {.name = "segment.index.bytes",
     .type = Type::kInt,
     .default_value = "10485760",
     .allowed = {.min = 4},
     .synonyms = kSegmentIndex,
     .documentation = "Size of a segment's offset index at which a new segment is begun."},
    {.name = "segment.jitter.ms",
     .type = Type::kLong,
     .default_value = "0",
     .allowed = {.min = 0},
     .synonyms = kSegmentJitter,
     .documentation =
         "Random time by which segments are begun early, so that not all roll at once."},
    {.name = "segment.ms",
     .type = Type::kLong,
     .default_value = "604800000",
     .allowed = {.min = 1},
     .synonyms = kSegmentMs,
     .documentation = "Span of time in one segment after which a new one is begun."},
    {.name = "unclean.leader.election.enable",
     .type = Type::kBoolean,
     .default_value = "false",
     .synonyms = kUnclean,
     .documentation = "Whether a replica that lacks acknowledged records may become leader."},
};

}  // namespace

std::span<const Def> topic_defs() { return kDefs; }

}  // namespace config
