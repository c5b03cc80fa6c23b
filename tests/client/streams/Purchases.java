// A Kafka Streams application with exactly_once_v2: orders joined with a table of people, and counted for each person and
// second of event time, in state stores. Runs until it is ended or killed. usage: Purchases BOOTSTRAP PREFIX STATE_FOLDER
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.TimeWindows;

public class Purchases {
  public static void main(String[] args) {
    String prefix = args[1];
    StreamsBuilder builder = new StreamsBuilder();
    var people = builder.<String, String>table(prefix + ".people");
    var orders = builder.<String, String>stream(prefix + ".orders");
    // key: who; value: what. The join says where the person lives.
    orders.join(people, (order, town) -> order + "@" + town).to(prefix + ".joined");
    orders.groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofSeconds(1)))
        .count()
        .toStream((window, count) -> window.key() + "/" + window.window().start())
        .mapValues(count -> Long.toString(count))
        .to(prefix + ".counts");

    Properties all = new Properties();
    all.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + ".app");
    all.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    all.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
    all.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    all.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
    all.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, "2");
    // The table is filled before the orders come: no need to wait for slow inputs.
    all.put(StreamsConfig.MAX_TASK_IDLE_MS_CONFIG, "0");
    all.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    all.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    all.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), "6000");
    all.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    all.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), "10000");
    KafkaStreams streams = new KafkaStreams(builder.build(), all);
    streams.setStateListener((now, before) -> System.out.println("state\t" + now));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    streams.start();
  }
}
