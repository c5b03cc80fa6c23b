import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group until it is ended: prints what it owns ("assigned N"), gets ("polled N") and has committed
 * ("read N"). usage: GroupMember BOOTSTRAP TOPIC GROUP [PROTOCOL]; a TOPIC that begins with '^' is an expression,
 * PROTOCOL is consumer (the default) or classic.
 */
public class GroupMember {
    public static void main(String[] args) throws Exception {
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Map.of(
            "bootstrap.servers", args[0], "group.id", args[2], "group.protocol", args.length > 3 ? args[3] : "consumer",
            "auto.offset.reset", "earliest", "enable.auto.commit", "false"),
            new StringDeserializer(), new StringDeserializer());
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join(20_000);
            } catch (InterruptedException ignored) {
                // The process ends in any case.
            }
        }));
        if (args[1].startsWith("^")) {
            consumer.subscribe(new SubscriptionPattern(args[1].substring(1)));
        } else {
            consumer.subscribe(List.of(args[1]));
        }
        int owned = -1;
        try {
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (consumer.assignment().size() != owned) {
                    owned = consumer.assignment().size();
                    System.out.println("assigned\t" + owned);
                }
                if (records.isEmpty()) continue;
                System.out.println("polled\t" + records.count());
                try {
                    consumer.commitSync();
                    System.out.println("read\t" + records.count());
                } catch (CommitFailedException e) {
                    System.out.println("fenced");
                }
            }
        } catch (WakeupException e) {
            consumer.close(Duration.ofSeconds(10));
            System.out.println("closed");
        }
    }
}
