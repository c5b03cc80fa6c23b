"""Feeds and reads topics for the tests of programs that stand on Kafka.
usage: feed.py BOOTSTRAP people PREFIX PEOPLE
       feed.py BOOTSTRAP orders PREFIX PEOPLE COUNT SECONDS   COUNT orders, spread over so much time
       feed.py BOOTSTRAP read TOPIC                           `key<TAB>value` lines: all that is committed
       feed.py BOOTSTRAP commit TOPIC GROUP                   the group commits the ends of the partitions
       feed.py BOOTSTRAP committed TOPIC GROUP                `partition<TAB>offset` lines"""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from common import check

PARTITIONS = 3
EPOCH_MS = 1_700_000_000_000


def people(bootstrap, prefix, count):
    producer = Producer({"bootstrap.servers": bootstrap})
    for i in range(int(count)):
        producer.produce(prefix + ".people", f"town-{i % 7}", f"person-{i}", partition=i % PARTITIONS, timestamp=EPOCH_MS)
    check(producer.flush(30) == 0, "feeding")


def orders(bootstrap, prefix, people, count, seconds):
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
    began = time.monotonic()
    for i in range(int(count)):
        who = i % int(people)
        producer.produce(prefix + ".orders", f"order-{i}", f"person-{who}", partition=who % PARTITIONS,
                         timestamp=EPOCH_MS + 37 * (i + 1))
        due = began + float(seconds) * i / int(count) - time.monotonic()
        if due > 0:
            producer.poll(due)
    check(producer.flush(60) == 0, "feeding")


def read(bootstrap, topic):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader-of-" + topic, "enable.partition.eof": True,
                         "isolation.level": "read_committed", "enable.auto.commit": False})
    known = consumer.list_topics(topic, 20).topics[topic].partitions
    check(known, "no such topic")
    consumer.assign([TopicPartition(topic, partition, 0) for partition in known])
    ended = set()
    while len(ended) < len(known):
        message = consumer.poll(20)
        check(message is not None, "nothing for 20 s")
        if message.error():
            ended.add(message.partition())
        else:
            print((message.key() or b"").decode(), message.value().decode(), sep="\t")
    consumer.close()


def commit(bootstrap, topic, group):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    ends = [TopicPartition(topic, i, consumer.get_watermark_offsets(TopicPartition(topic, i), 20)[1]) for i in range(PARTITIONS)]
    for attempt in range(50):
        try:
            consumer.commit(offsets=ends, asynchronous=False)
            break
        except KafkaException:  # the coordinator was made for this commit and may be loading
            check(attempt < 49, "committing")
            time.sleep(0.1)
    consumer.close()


def committed(bootstrap, topic, group):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    for each in consumer.committed([TopicPartition(topic, i) for i in range(PARTITIONS)], 20):
        print(each.partition, each.offset, sep="\t")
    consumer.close()


{"people": people, "orders": orders, "read": read, "commit": commit,
 "committed": committed}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
