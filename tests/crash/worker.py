"""The client side of the crash test, run with confluent-kafka's Python.

usage: worker.py write BOOTSTRAP TOPIC PARTITIONS    numbers records per partition until standard input ends;
                                                     prints `acked PARTITION NUMBER OFFSET` and `failed ...`
       worker.py read BOOTSTRAP TOPIC PARTITIONS     prints `record PARTITION OFFSET NUMBER` of everything"""

import sys
import threading

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition


def write(bootstrap, topic, partitions):
    producer = Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
        "batch.num.messages": 50, "compression.type": "lz4", "message.timeout.ms": 120000,
        "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20, "socket.timeout.ms": 5000,
        "log_level": 0,
    })
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()

    def delivered(error, message):
        number = message.key().decode()
        if error:
            print("failed", message.partition(), number, error, sep="\t")
        else:
            print("acked", message.partition(), number, message.offset(), sep="\t")

    number = 0
    while not over.is_set():
        for partition in range(partitions):
            while True:
                try:
                    producer.produce(topic, key=str(number), value="x" * (number % 300), partition=partition,
                                     on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
        number += 1
        producer.poll(0.001)
        if len(producer) > 2000:
            producer.poll(0.02)
    left = producer.flush(60)
    if left:
        print("failed", -1, left, "records were never answered", sep="\t")


def read(bootstrap, topic, partitions):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "crash.reader", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest"})
    ends = {}
    for partition in range(partitions):
        _, ends[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    consumer.assign([TopicPartition(topic, p, 0) for p in ends])
    waiting = {p for p, end in ends.items() if end}
    while waiting:
        message = consumer.poll(30)
        if message is None:
            print("failed", -1, 0, f"nothing more came of {waiting}", sep="\t")
            break
        if message.error():
            raise KafkaException(message.error())
        print("record", message.partition(), message.offset(), message.key().decode(), sep="\t")
        if message.offset() + 1 >= ends[message.partition()]:
            waiting.discard(message.partition())
    consumer.close()


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
