// Apache Kafka's own transactional producer, its settings as they come: records evenly over 100 ms, then the commit,
// for so many seconds. Says how long the commits took, what was not yet acknowledged included, and how many records
// went there in all, as a line of JSON.
// usage: Commits BOOTSTRAP TOPIC RECORDS_PER_COMMIT WARM_SECONDS SECONDS
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

public class Commits {
  static final int TICKS = 100, SIZE = 1024;
  static final Random random = new Random(1);

  static long transact(KafkaProducer<byte[], byte[]> producer, String topic, int records) {
    long began = System.nanoTime();
    producer.beginTransaction();
    for (int tick = 1, sent = 0; tick <= TICKS; ++tick) {
      for (; sent < records * tick / TICKS; ++sent) {
        byte[] value = new byte[SIZE];
        random.nextBytes(value);
        producer.send(new ProducerRecord<>(topic, value));
      }
      for (long due = began + tick * 1_000_000L; System.nanoTime() < due;) LockSupport.parkNanos(due - System.nanoTime());
    }
    long at = System.nanoTime();
    producer.commitTransaction();
    return System.nanoTime() - at;
  }

  static List<Long> run(KafkaProducer<byte[], byte[]> producer, String topic, int records, double seconds) {
    List<Long> took = new ArrayList<>();
    for (long end = System.nanoTime() + (long) (seconds * 1e9); System.nanoTime() < end;) took.add(transact(producer, topic, records));
    return took;
  }

  public static void main(String[] args) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("transactional.id", "bench-java");
    properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
    properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
    try (var producer = new KafkaProducer<byte[], byte[]>(properties)) {
      producer.initTransactions();
      int records = Integer.parseInt(args[2]);
      int warm = run(producer, args[1], records, Double.parseDouble(args[3])).size();
      List<Long> took = run(producer, args[1], records, Double.parseDouble(args[4]));
      Collections.sort(took);
      System.out.printf(Locale.ROOT, "{\"commits\": %d, \"records\": %d, \"p50_ms\": %.3f, \"p99_ms\": %.3f}%n", took.size(),
          (warm + took.size()) * (long) records, took.get(took.size() / 2) / 1e6,
          took.get(Math.min(took.size() * 99 / 100, took.size() - 1)) / 1e6);
    }
  }
}
