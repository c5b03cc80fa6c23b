// librdkafka as Debian ships it: the C API, older versions of the protocol. What a client has to do
// and to print is in tests/client/README.md.
#define _DEFAULT_SOURCE
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char* const kCodecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
enum { kCodecCount = 5, kPartitions = 3, kTimeoutMs = 30000 };

static const char* bootstrap;
static const char* topic;
static const char* group;
static int count;
static int replicas = 1;  // of a new topic, on as many brokers

static void done(const char* what) { printf("done\t%s\n", what); }

static void check(int ok, const char* what, const char* why) {
  if (ok) return;
  printf("error\t%s: %s\n", what, why);
  exit(1);
}

static rd_kafka_t* client(rd_kafka_type_t type, const char* const* pairs) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, error, sizeof error);
  for (; *pairs; pairs += 2) {
    check(rd_kafka_conf_set(conf, pairs[0], pairs[1], error, sizeof error) == RD_KAFKA_CONF_OK,
          pairs[0], error);
  }
  rd_kafka_t* handle = rd_kafka_new(type, conf, error, sizeof error);
  check(handle != NULL, "creating a client", error);
  return handle;
}

static void make_record(const char* codec, int i, char* key, char* value) {
  sprintf(key, "%s-%d", codec, i);
  value += sprintf(value, "%s:", key);
  for (int n = 0; n < i % 40; n++) value += sprintf(value, "moldau ");
}

// --- admin calls: each sends one request and waits for its event --------------------------------

static rd_kafka_event_t* answer(rd_kafka_queue_t* queue, const char* what) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  check(event != NULL, what, "no answer");
  check(!rd_kafka_event_error(event), what, rd_kafka_event_error_string(event));
  return event;
}

static void check_topics(const rd_kafka_topic_result_t** results, size_t n, const char* what) {
  check(n == 1, what, "not one topic in the answer");
  check(!rd_kafka_topic_result_error(results[0]), what,
        rd_kafka_err2str(rd_kafka_topic_result_error(results[0])));
  done(what);
}

static void create_topic(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  char error[512];
  rd_kafka_NewTopic_t* wanted =
      rd_kafka_NewTopic_new(topic, kPartitions, replicas, error, sizeof error);
  rd_kafka_NewTopic_set_config(wanted, "retention.ms", "3600000");
  rd_kafka_CreateTopics(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "create-topic");
  size_t n;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
  check_topics(results, n, "create-topic");
  rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(wanted);
}

static void create_partitions(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  char error[512];
  rd_kafka_NewPartitions_t* wanted =
      rd_kafka_NewPartitions_new(topic, kPartitions + 1, error, sizeof error);
  rd_kafka_CreatePartitions(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "create-partitions");
  size_t n;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
  check_topics(results, n, "create-partitions");
  rd_kafka_event_destroy(event);
  rd_kafka_NewPartitions_destroy(wanted);
}

static void delete_topic(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  rd_kafka_DeleteTopic_t* wanted = rd_kafka_DeleteTopic_new(topic);
  rd_kafka_DeleteTopics(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "delete-topic");
  size_t n;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
  check_topics(results, n, "delete-topic");
  rd_kafka_event_destroy(event);
  rd_kafka_DeleteTopic_destroy(wanted);
}

// Returns whether retention.ms is what is wanted.
static int retention_is(rd_kafka_t* admin, rd_kafka_queue_t* queue, const char* want) {
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
  rd_kafka_DescribeConfigs(admin, &resource, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "describing configs");
  size_t n, entries;
  int found = 0, same = 0;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
  check(n == 1 && !rd_kafka_ConfigResource_error(resources[0]), "describing configs", "an error");
  const rd_kafka_ConfigEntry_t** list = rd_kafka_ConfigResource_configs(resources[0], &entries);
  for (size_t i = 0; i < entries; i++) {
    if (strcmp(rd_kafka_ConfigEntry_name(list[i]), "retention.ms") != 0) continue;
    found = 1;
    same = strcmp(rd_kafka_ConfigEntry_value(list[i]), want) == 0;
  }
  check(found, "describing configs", "no retention.ms");
  rd_kafka_event_destroy(event);
  rd_kafka_ConfigResource_destroy(resource);
  return same;
}

static void configs(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  check(retention_is(admin, queue, "3600000"), "configs", "retention.ms as created");
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
  rd_kafka_ConfigResource_set_config(resource, "retention.ms", "7200000");
  rd_kafka_AlterConfigs(admin, &resource, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "altering configs");
  size_t n;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &n);
  check(n == 1 && !rd_kafka_ConfigResource_error(resources[0]), "altering configs", "an error");
  rd_kafka_event_destroy(event);
  rd_kafka_ConfigResource_destroy(resource);
  // Kafka answers before its brokers have applied a change.
  for (int i = 0; i < 50 && !retention_is(admin, queue, "7200000"); i++) usleep(100000);
  check(retention_is(admin, queue, "7200000"), "configs", "retention.ms as altered");
  done("configs");
}

static void delete_records(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(before, topic, 0)->offset = 5;
  rd_kafka_DeleteRecords_t* wanted = rd_kafka_DeleteRecords_new(before);
  rd_kafka_DeleteRecords(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "delete-records");
  const rd_kafka_topic_partition_list_t* low =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
  check(low->cnt == 1 && !low->elems[0].err && low->elems[0].offset == 5, "delete-records",
        "low watermark");
  rd_kafka_event_destroy(event);
  rd_kafka_DeleteRecords_destroy(wanted);
  rd_kafka_topic_partition_list_destroy(before);
  done("delete-records");
}

static void list_offsets(rd_kafka_t* admin, int64_t total) {
  int64_t sum = 0;
  rd_kafka_topic_partition_list_t* times = rd_kafka_topic_partition_list_new(kPartitions);
  for (int p = 0; p < kPartitions; p++) {
    int64_t low, high;
    rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(admin, topic, p, &low, &high, kTimeoutMs);
    check(!error, "watermarks", rd_kafka_err2str(error));
    sum += high;
    rd_kafka_topic_partition_list_add(times, topic, p)->offset = 1;
  }
  check(sum == total, "list-offsets", "the ends of the partitions");
  rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(admin, times, kTimeoutMs);
  check(!error, "offsets by time", rd_kafka_err2str(error));
  for (int i = 0; i < times->cnt; i++)
    check(times->elems[i].offset == 0, "list-offsets", "offsets after 1970");
  rd_kafka_topic_partition_list_destroy(times);
  done("list-offsets");
}

static void describe(rd_kafka_t* admin) {
  const struct rd_kafka_metadata* metadata;
  rd_kafka_resp_err_t error = rd_kafka_metadata(admin, 1, NULL, &metadata, kTimeoutMs);
  check(!error, "metadata", rd_kafka_err2str(error));
  // One may be starting anew.
  check(metadata->broker_cnt == replicas || (replicas > 1 && metadata->broker_cnt == replicas - 1),
        "metadata", "the number of brokers");
  done("describe-cluster");
  int partitions = 0;
  for (int i = 0; i < metadata->topic_cnt; i++) {
    if (strcmp(metadata->topics[i].topic, topic) == 0)
      partitions = metadata->topics[i].partition_cnt;
  }
  check(partitions == kPartitions, "metadata", "not three partitions");
  done("describe-topic");
  rd_kafka_metadata_destroy(metadata);
}

static void groups(rd_kafka_t* admin, rd_kafka_queue_t* queue) {
  const struct rd_kafka_group_list* list;
  rd_kafka_resp_err_t error = rd_kafka_list_groups(admin, group, &list, kTimeoutMs);
  check(!error, "listing groups", rd_kafka_err2str(error));
  check(list->group_cnt == 1 && strcmp(list->groups[0].state, "Empty") == 0, "listing groups",
        list->group_cnt ? list->groups[0].state : "none");
  rd_kafka_group_list_destroy(list);
  rd_kafka_DeleteGroup_t* wanted = rd_kafka_DeleteGroup_new(group);
  rd_kafka_DeleteGroups(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue, "deleting the group");
  size_t n;
  const rd_kafka_group_result_t** results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &n);
  check(n == 1 && !rd_kafka_group_result_error(results[0]), "deleting the group", "an error");
  rd_kafka_event_destroy(event);
  rd_kafka_DeleteGroup_destroy(wanted);
  done("groups");
}

// --- produce and consume ------------------------------------------------------------------------

static void produce(const char* codec) {
  const char* pairs[] = {"compression.type",
                         codec,
                         "enable.idempotence",
                         "true",
                         "linger.ms",
                         "20",
                         "message.timeout.ms",
                         "30000",
                         NULL};
  rd_kafka_t* producer = client(RD_KAFKA_PRODUCER, pairs);
  for (int i = 0; i < count; i++) {
    char key[64], value[512];
    make_record(codec, i, key, value);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, strlen(key)),
        RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_HEADER("codec", codec, strlen(codec)),
        RD_KAFKA_V_HEADER("trace", key, strlen(key)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_END);
    check(!error, "producing", rd_kafka_err2str(error));
  }
  rd_kafka_flush(producer, kTimeoutMs);
  check(rd_kafka_outq_len(producer) == 0, "producing", "not all was delivered");
  check(rd_kafka_fatal_error(producer, NULL, 0) == 0, "producing", "a fatal error");
  rd_kafka_destroy(producer);
  char what[64];
  snprintf(what, sizeof what, "produce %s", codec);
  done(what);
}

static void print_record(const rd_kafka_message_t* message) {
  printf("read\t%d\t%lld\t%.*s\t%.*s\t", message->partition, (long long)message->offset,
         (int)message->key_len, (const char*)message->key, (int)message->len,
         (const char*)message->payload);
  rd_kafka_headers_t* headers;
  if (!rd_kafka_message_headers(message, &headers)) {
    const char* name;
    const void* value;
    size_t size;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
      printf("%s%s=%.*s", i ? ";" : "", name, (int)size, (const char*)value);
    }
  }
  printf("\n");
}

static void read_through_group(int want) {
  const char* pairs[] = {"group.id", group, "enable.auto.commit", "false", "auto.offset.reset",
                         "earliest", NULL};
  rd_kafka_t* consumer = client(RD_KAFKA_CONSUMER, pairs);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  int64_t next[kPartitions] = {0};
  for (int taken = 0; taken < want; taken++) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, kTimeoutMs);
    check(message != NULL, "reading", "nothing more came");
    check(!message->err, "reading", rd_kafka_message_errstr(message));
    print_record(message);
    next[message->partition] = message->offset + 1;
    rd_kafka_message_destroy(message);
  }
  rd_kafka_topic_partition_list_t* offsets = rd_kafka_topic_partition_list_new(kPartitions);
  for (int p = 0; p < kPartitions; p++) {
    if (next[p]) rd_kafka_topic_partition_list_add(offsets, topic, p)->offset = next[p];
  }
  rd_kafka_resp_err_t error = rd_kafka_commit(consumer, offsets, 0);
  check(!error, "committing", rd_kafka_err2str(error));
  for (int i = 0; i < offsets->cnt; i++) {
    printf("committed\t%d\t%lld\n", offsets->elems[i].partition,
           (long long)offsets->elems[i].offset);
  }
  rd_kafka_consumer_close(consumer);
  rd_kafka_topic_partition_list_destroy(offsets);
  rd_kafka_topic_partition_list_destroy(topics);
  rd_kafka_destroy(consumer);
  done("group");
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: client first|rest BOOTSTRAP TOPIC GROUP COUNT\n");
    return 2;
  }
  bootstrap = argv[2];
  topic = argv[3];
  group = argv[4];
  count = atoi(argv[5]);
  if (getenv("REPLICAS")) replicas = atoi(getenv("REPLICAS"));
  const int total = count * kCodecCount;
  const char* none[] = {NULL};
  rd_kafka_t* admin = client(RD_KAFKA_PRODUCER, none);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin);
  if (strcmp(argv[1], "first") == 0) {
    create_topic(admin, queue);
    for (int i = 0; i < kCodecCount; i++) produce(kCodecs[i]);
    read_through_group(total / 2);
  } else {
    read_through_group(total - total / 2);
    describe(admin);
    configs(admin, queue);
    list_offsets(admin, total);
    groups(admin, queue);
    delete_records(admin, queue);
    create_partitions(admin, queue);
    delete_topic(admin, queue);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(admin);
  return 0;
}
