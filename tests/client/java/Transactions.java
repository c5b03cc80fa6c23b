// Apache Kafka's Java producer with transactions: commit, abort, fence, offsets, and what a consumer with
// either isolation sees. usage: Transactions BOOTSTRAP PREFIX         all steps
//                               Transactions BOOTSTRAP PREFIX leave   begins a transaction, and is gone
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

public class Transactions {
  static String bootstrap, output, input;

  static void check(boolean ok, String what) {
    if (!ok) throw new AssertionError(what);
  }

  static void done(String what) {
    System.out.println("done\t" + what);
  }

  static Properties properties(String... pairs) {
    Properties all = new Properties();
    all.put("bootstrap.servers", bootstrap);
    all.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    all.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    all.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    all.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    for (int i = 0; i < pairs.length; i += 2) all.put(pairs[i], pairs[i + 1]);
    return all;
  }

  static KafkaProducer<String, String> producer(String id) {
    return producer(id, "60000");
  }

  static KafkaProducer<String, String> producer(String id, String timeoutMs) {
    var made = new KafkaProducer<String, String>(properties("transactional.id", id, "transaction.timeout.ms", timeoutMs));
    made.initTransactions();
    return made;
  }

  static List<String> read(String isolation) {
    List<String> seen = new ArrayList<>();
    try (var consumer = new KafkaConsumer<String, String>(properties("isolation.level", isolation))) {
      TopicPartition at = new TopicPartition(output, 0);
      consumer.assign(List.of(at));
      consumer.seekToBeginning(List.of(at));
      long end = consumer.endOffsets(List.of(at)).get(at);
      long began = System.nanoTime();
      while (consumer.position(at) < end) {
        consumer.poll(Duration.ofMillis(200)).forEach(record -> seen.add(record.value()));
        check(System.nanoTime() - began < 30e9, "stuck at " + consumer.position(at) + " of " + end);
      }
    }
    return seen;
  }

  // Soon: a commit is answered before its markers are written.
  static void expect(List<String> want, String when) throws Exception {
    long began = System.nanoTime();
    for (List<String> seen = read("read_committed"); !seen.equals(want); seen = read("read_committed")) {
      check(System.nanoTime() - began < 20e9, when + ": " + seen);
      Thread.sleep(50);
    }
  }

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    output = args[1] + ".out";
    input = args[1] + ".in";
    String id = args[1] + ".one";
    if (args.length > 2) {
      var left = producer(args[1] + ".left");
      left.beginTransaction();
      left.send(new ProducerRecord<>(output, 0, null, "left open")).get();
      Runtime.getRuntime().halt(0);
    }
    List<String> want = new ArrayList<>();
    var one = producer(id);
    for (int i = 0; i < 20; ++i) {
      one.beginTransaction();
      for (int j = 0; j < 3; ++j) one.send(new ProducerRecord<>(output, 0, null, i + "-" + j));
      if (i % 3 == 1) {
        one.flush();
        one.abortTransaction();
      } else {
        one.commitTransaction();
        for (int j = 0; j < 3; ++j) want.add(i + "-" + j);
      }
    }
    done("commit and abort");
    expect(want, "read_committed");
    check(read("read_uncommitted").size() == 60, "read_uncommitted");
    done("read_committed");

    one.beginTransaction();
    one.send(new ProducerRecord<>(output, 0, null, "zombie")).get();
    check(read("read_committed").equals(want), "an open transaction is seen");
    var two = producer(id);
    try {
      one.commitTransaction();
      check(false, "a fenced producer committed");
    } catch (ProducerFencedException | InvalidProducerEpochException expected) {
      one.close(Duration.ZERO);
    }
    two.beginTransaction();
    two.send(new ProducerRecord<>(output, 0, null, "owner"));
    two.commitTransaction();
    want.add("owner");
    expect(want, "after the fence");
    done("fence");

    String group = args[1] + ".group";
    TopicPartition at = new TopicPartition(input, 0);
    try (var consumer = new KafkaConsumer<String, String>(properties("group.id", group))) {
      for (int i = 0; i < 4; ++i) {
        two.beginTransaction();
        two.sendOffsetsToTransaction(Map.of(at, new OffsetAndMetadata(i + 1)), new ConsumerGroupMetadata(group));
        two.send(new ProducerRecord<>(output, 0, null, "upto-" + i));
        if (i % 2 == 0) {
          two.commitTransaction();
          want.add("upto-" + i);
        } else {
          two.abortTransaction();
        }
        var committed = consumer.committed(java.util.Set.of(at)).get(at);
        check(committed != null && committed.offset() == i / 2 * 2 + 1, "committed " + committed + " after " + i);
      }
    }
    expect(want, "with offsets");
    two.close();
    done("offsets");
    timeout(args[1] + ".slow", want);
  }

  // Who is too slow is aborted: readers go on without it, and its commit fails.
  static void timeout(String id, List<String> want) throws Exception {
    var slow = producer(id, "1000");
    slow.beginTransaction();
    slow.send(new ProducerRecord<>(output, 0, null, "slow")).get();
    try (var plain = new KafkaProducer<String, String>(properties())) {
      plain.send(new ProducerRecord<>(output, 0, null, "plain")).get();
    }
    check(read("read_committed").equals(want), "what is behind an open transaction is seen");
    want.add("plain");
    expect(want, "after the timeout");
    try {
      slow.commitTransaction();
      check(false, "a transaction that timed out was committed");
    } catch (KafkaException expected) {
      slow.close(Duration.ZERO);
    }
    done("timeout");
  }
}
