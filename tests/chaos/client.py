"""The clients of a chaos run, with confluent-kafka's Python, each in its own process.

usage: client.py create BOOTSTRAP TOPIC,... PARTITIONS REPLICAS   makes the topics
       client.py write  BOOTSTRAP TOPIC PARTITIONS NAME [KEY=VALUE...]
                                                              numbers records per partition until standard input ends;
                                                              prints `acked PARTITION NAME NUMBER OFFSET MS` and `failed ...`;
                                                              with acks=all, and else as librdkafka comes
       client.py follow BOOTSTRAP TOPIC PARTITIONS NAME PROTOCOL
                                                              reads as a member of the group of that protocol,
                                                              committing, until standard input ends; prints `record
                                                              PARTITION OFFSET NAME NUMBER` and `given PARTITION ...`
       client.py read   BOOTSTRAP TOPIC PARTITIONS            prints `record ...` of everything"""

import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

# The group protocols, with what a member of each may say.
PROTOCOLS = {"classic": {"session.timeout.ms": 6000}, "consumer": {}}


def create(bootstrap, topics, partitions, replicas):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [NewTopic(topic, partitions, int(replicas)) for topic in topics.split(",")]
    for future in admin.create_topics(wanted, request_timeout=60).values():
        future.result(70)


def until_told():
    """An event that is set when standard input ends."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    return over


def tell(*words):
    print(*words, sep="\t")


def all_done(consumer, topic, partitions):
    """Whether the consumer's group has committed everything that the topic holds. False when nobody can say now."""
    try:
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=5)[1] for p in range(partitions)]
        committed = consumer.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=5)
    except KafkaException:
        return False
    return all(max(each.offset, 0) >= end for each, end in zip(sorted(committed), ends))


class Ending:
    """When a member of a group may stop: it was told to, and the group has committed everything; or after two minutes,
    for then something is stuck."""

    def __init__(self, consumer, topic, partitions, over):
        self.consumer, self.topic, self.partitions, self.over = consumer, topic, partitions, over
        self.told_at, self.asked_at = 0.0, 0.0

    def reached(self):
        now = time.monotonic()
        if not self.over.is_set() or now - self.asked_at < 1:
            return False
        self.told_at = self.told_at or now
        done = all_done(self.consumer, self.topic, self.partitions)
        self.asked_at = time.monotonic()
        if not done and self.asked_at - self.told_at > 120:
            tell("stuck", "the group did not come to the end of the topic within two minutes")
            return True
        return done


def write(bootstrap, topic, partitions, name, *settings):
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0, **dict(each.split("=", 1) for each in settings)})
    over = until_told()

    def delivered(error, message):
        number = message.key().decode().split(":")[1]
        if error:
            tell("failed", message.partition(), name, number, error)
        else:
            tell("acked", message.partition(), name, number, message.offset(), int(time.time() * 1000))

    number = 0
    while not over.is_set():
        for partition in range(partitions):
            try:
                producer.produce(topic, key=f"{name}:{number}", value="x" * (number % 900), partition=partition, on_delivery=delivered)
            except BufferError:
                producer.poll(0.05)
                continue
        number += 1
        producer.poll(0.002 if len(producer) < 2000 else 0.02)
    left = producer.flush(120)
    if left:
        tell("failed", -1, name, left, "records were never answered")


def seen(message):
    name, number = message.key().decode().split(":")
    tell("record", message.partition(), message.offset(), name, number)


def follow(bootstrap, topic, partitions, name, protocol):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"chaos.{protocol}", "client.id": name,
                         "auto.offset.reset": "earliest", "group.protocol": protocol, "log_level": 0,
                         "auto.commit.interval.ms": 500, **PROTOCOLS[protocol]})
    consumer.subscribe([topic], on_assign=lambda _, given: tell("given", *(each.partition for each in given)))
    ending = Ending(consumer, topic, partitions, until_told())
    while not ending.reached():
        message = consumer.poll(0.2)
        if message is None or message.error():  # errors here are news of what is down; librdkafka goes on by itself
            continue
        seen(message)
    consumer.close()


def read(bootstrap, topic, partitions):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "chaos.reader", "enable.auto.commit": False})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, 0) for p in ends])
    waiting = {p for p, end in ends.items() if end}
    while waiting:
        message = consumer.poll(30)
        if message is None:
            tell("failed", -1, "-", 0, f"nothing more came of {waiting}")
            break
        if message.error():
            raise KafkaException(message.error())
        seen(message)
        if message.offset() + 1 >= ends[message.partition()]:
            waiting.discard(message.partition())
    consumer.close()


if __name__ == "__main__":
    {"create": create, "write": write, "follow": follow, "read": read}[sys.argv[1]](
        sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:])
