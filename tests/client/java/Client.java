import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own Java clients. What a client has to do and to print is in tests/client/README.md. */
public class Client {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    /** Of a new topic; there are as many brokers. */
    static final int REPLICAS = Integer.parseInt(System.getenv().getOrDefault("REPLICAS", "1"));

    final String bootstrap;
    final String topic;
    final String group;
    final int count;

    Client(String bootstrap, String topic, String group, int count) {
        this.bootstrap = bootstrap;
        this.topic = topic;
        this.group = group;
        this.count = count;
    }

    static String key(String codec, int i) {
        return codec + "-" + i;
    }

    static String value(String codec, int i) {
        return key(codec, i) + ":" + "moldau ".repeat(i % 40);
    }

    static void done(String what) {
        System.out.println("done\t" + what);
    }

    static void check(boolean ok, String what) {
        if (!ok) throw new AssertionError(what);
    }

    /** One of several may be starting anew. */
    static boolean allOrAllButOne(int n) {
        return n == REPLICAS || n == REPLICAS - 1 && n > 0;
    }

    Map<String, Object> config(Object... pairs) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) config.put((String) pairs[i], pairs[i + 1]);
        return config;
    }

    KafkaProducer<String, String> producer(String codec) {
        return new KafkaProducer<>(config("compression.type", codec, "linger.ms", 20, "delivery.timeout.ms", 30000,
            "request.timeout.ms", 10000), new StringSerializer(), new StringSerializer());
    }

    void first() throws Exception {
        try (Admin admin = Admin.create(config())) {
            admin.createTopics(List.of(new NewTopic(topic, 3, (short) REPLICAS).configs(Map.of("retention.ms", "3600000"))))
                .all().get();
        }
        done("create-topic");
        for (String codec : CODECS) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            try (KafkaProducer<String, String> producer = producer(codec)) {
                for (int i = 0; i < count; i++) {
                    ProducerRecord<String, String> record = new ProducerRecord<>(topic, key(codec, i), value(codec, i));
                    record.headers().add("codec", codec.getBytes()).add("trace", key(codec, i).getBytes());
                    sent.add(producer.send(record));
                }
            }
            for (Future<RecordMetadata> future : sent) future.get();
            done("produce " + codec);
        }
        read(count * CODECS.size() / 2);
    }

    void read(int want) {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
            config("group.id", group, "enable.auto.commit", false, "auto.offset.reset", "earliest"),
            new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            long deadline = System.currentTimeMillis() + 60_000;
            for (int taken = 0; taken < want; ) {
                check(System.currentTimeMillis() < deadline, "only " + taken + " of " + want + " records came");
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    if (taken == want) break;
                    taken++;
                    print(record);
                    next.put(new TopicPartition(topic, record.partition()),
                        new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), ""));
                }
            }
            consumer.commitSync(next);
            next.forEach((p, o) -> System.out.println("committed\t" + p.partition() + "\t" + o.offset()));
        }
        done("group");
    }

    static void print(ConsumerRecord<String, String> record) {
        Map<String, String> headers = new TreeMap<>();
        for (Header header : record.headers()) headers.put(header.key(), new String(header.value()));
        List<String> pairs = new ArrayList<>();
        headers.forEach((k, v) -> pairs.add(k + "=" + v));
        System.out.println(String.join("\t", "read", "" + record.partition(), "" + record.offset(), record.key(),
            record.value(), String.join(";", pairs)));
    }

    void rest() throws Exception {
        int total = count * CODECS.size();
        read(total - total / 2);
        try (Admin admin = Admin.create(config())) {
            int brokers = admin.describeCluster().nodes().get().size();
            check(allOrAllButOne(brokers), brokers + " brokers");
            check(!admin.describeCluster().clusterId().get().isEmpty(), "a cluster id");
            done("describe-cluster");
            var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            check(described.partitions().size() == 3, "three partitions");
            int inSync = described.partitions().get(0).isr().size();
            check(allOrAllButOne(inSync), inSync + " replicas in sync");
            done("describe-topic");
            configs(admin);
            offsets(admin, total);
            groups(admin, total);
            inspect(admin);
            tombstones();
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
            done("create-partitions");
            admin.deleteTopics(List.of(topic)).all().get();
            done("delete-topic");
        }
    }

    void configs(Admin admin) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        ConfigEntry before = admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms");
        check(before.value().equals("3600000"), "retention.ms as created");
        check(before.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all().get();
        var after = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        for (int i = 0; i < 50 && !after.get("retention.ms").value().equals("7200000"); i++) {
            Thread.sleep(100);  // Kafka answers before its brokers have applied a change
            after = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        }
        check(after.get("retention.ms").value().equals("7200000"), "retention.ms as altered");
        List<String> policies = Arrays.asList(after.get("cleanup.policy").value().split(","));
        check(policies.contains("compact") && policies.contains("delete"), "cleanup.policy is " + policies);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        done("configs");
    }

    long sum(Admin admin, OffsetSpec spec) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        for (int p = 0; p < 3; p++) asked.put(new TopicPartition(topic, p), spec);
        return admin.listOffsets(asked).all().get().values().stream().mapToLong(r -> r.offset()).sum();
    }

    void offsets(Admin admin, int total) throws Exception {
        check(sum(admin, OffsetSpec.latest()) == total, "ends of the partitions");
        check(sum(admin, OffsetSpec.earliest()) == 0, "starts of the partitions");
        check(sum(admin, OffsetSpec.forTimestamp(1)) == 0, "first offsets after 1970");
        check(sum(admin, OffsetSpec.earliestLocal()) == 0, "local starts of the partitions");
        check(sum(admin, OffsetSpec.maxTimestamp()) > 0, "offsets of the latest timestamps");
        done("list-offsets");
        TopicPartition zero = new TopicPartition(topic, 0);
        long low = admin.deleteRecords(Map.of(zero, RecordsToDelete.beforeOffset(5))).lowWatermarks().get(zero).get()
            .lowWatermark();
        check(low == 5, "low watermark " + low);
        check(sum(admin, OffsetSpec.earliest()) == 5, "starts after deleting records");
        done("delete-records");
    }

    void groups(Admin admin, int total) throws Exception {
        var held = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        check(held.values().stream().mapToLong(o -> o.offset()).sum() == total, "everything is committed");
        check(admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)), "the group is listed");
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(described.groupState().toString().equals("Empty"), "the group is " + described.groupState());
        TopicPartition zero = new TopicPartition(topic, 0);
        admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(7, Optional.empty(), "note"))).all().get();
        OffsetAndMetadata moved = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(zero);
        check(moved.offset() == 7 && moved.metadata().equals("note"), "the offset as moved: " + moved);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        done("groups");
    }

    void inspect(Admin admin) throws Exception {
        long size = admin.describeLogDirs(List.of(admin.describeCluster().nodes().get().iterator().next().id()))
            .allDescriptions().get().values().stream().flatMap(d -> d.values().stream())
            .flatMap(d -> d.replicaInfos().entrySet().stream()).filter(e -> e.getKey().topic().equals(topic))
            .mapToLong(e -> e.getValue().size()).sum();
        check(size > 0, "the log directory holds " + size + " bytes");
        done("log-dirs");
        var features = admin.describeFeatures().featureMetadata().get();
        check(features.finalizedFeatures().containsKey("metadata.version"), "features " + features);
        done("features");
        TopicPartition zero = new TopicPartition(topic, 0);
        var producers = admin.describeProducers(List.of(zero)).partitionResult(zero).get().activeProducers();
        check(producers.size() == CODECS.size(), producers.size() + " producers wrote to partition 0");
        done("producers");
    }

    /** Null keys, null values and empty headers come back as they were sent. */
    void tombstones() throws Exception {
        String other = topic + ".tombstones";
        try (KafkaProducer<String, String> producer = producer("zstd")) {
            ProducerRecord<String, String> record = new ProducerRecord<>(other, 0, 1234L, (String) null, (String) null);
            record.headers().add("nothing", null).add("empty", new byte[0]);
            producer.send(record).get();
        }
        TopicPartition zero = new TopicPartition(other, 0);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(config(), new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(zero));
            consumer.seekToBeginning(List.of(zero));
            ConsumerRecord<String, String> record = null;
            for (int i = 0; i < 60 && record == null; i++) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(500))) record = r;
            }
            check(record != null, "the tombstone came back");
            check(record.key() == null && record.value() == null, "null key and value");
            check(record.timestamp() == 1234L, "timestamp " + record.timestamp());
            Header[] headers = record.headers().toArray();
            check(headers.length == 2 && headers[0].value() == null && headers[1].value().length == 0, "headers");
        }
        done("tombstones");
    }

    public static void main(String[] args) throws Exception {
        Client client = new Client(args[1], args[2], args[3], Integer.parseInt(args[4]));
        if (args[0].equals("first")) client.first();
        else client.rest();
    }
}
