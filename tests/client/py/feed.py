"""Feeds and reads topics for the tests of programs that stand on Kafka.
usage: feed.py BOOTSTRAP people PREFIX PEOPLE START_MS          timestamps begin there
       feed.py BOOTSTRAP orders PREFIX PEOPLE START_MS COUNT SECONDS   COUNT orders, spread over so much time
       feed.py BOOTSTRAP read TOPIC                           `key<TAB>value` lines: all that is committed
       feed.py BOOTSTRAP commit TOPIC GROUP                   the group commits the ends of the partitions
       feed.py BOOTSTRAP passed TOPIC GROUP                   `partition<TAB>count` lines: records before its offsets"""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from common import check

PARTITIONS = 3


def wait_for(producer, topic):
    """Apache Kafka answers a creation before its broker has the topic."""
    for _ in range(100):
        partitions = producer.list_topics(topic, 20).topics[topic].partitions.values()
        if len(partitions) == PARTITIONS and all(each.leader > 0 for each in partitions):
            return
        time.sleep(0.1)
    check(False, f"{topic} does not come")


def delivered(error, _):
    check(error is None, f"a record was not delivered: {error}")


def people(bootstrap, prefix, count, start_ms):
    producer = Producer({"bootstrap.servers": bootstrap, "on_delivery": delivered})
    wait_for(producer, prefix + ".people")
    for i in range(int(count)):
        producer.produce(prefix + ".people", f"town-{i % 7}", f"person-{i}", partition=i % PARTITIONS, timestamp=int(start_ms))
    check(producer.flush(30) == 0, "feeding")


def orders(bootstrap, prefix, people, start_ms, count, seconds):
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "on_delivery": delivered})
    wait_for(producer, prefix + ".orders")
    began = time.monotonic()
    for i in range(int(count)):
        who = i % int(people)
        producer.produce(prefix + ".orders", f"order-{i}", f"person-{who}", partition=who % PARTITIONS,
                         timestamp=int(start_ms) + 37 * (i + 1))
        due = began + float(seconds) * i / int(count) - time.monotonic()
        if due > 0:
            producer.poll(due)
    check(producer.flush(60) == 0, "feeding")


def read(bootstrap, topic):
    for message in messages(bootstrap, topic):
        print((message.key() or b"").decode(), message.value().decode(), sep="\t")


def messages(bootstrap, topic):
    """All that is committed."""
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
            if message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
        else:
            yield message
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


def passed(bootstrap, topic, group):
    """Offsets may differ between two logs with the same records: what counts is which records are behind the group."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    committed = consumer.committed([TopicPartition(topic, i) for i in range(PARTITIONS)], 20)
    consumer.close()
    offsets = [[] for _ in range(PARTITIONS)]
    for message in messages(bootstrap, topic):
        offsets[message.partition()].append(message.offset())
    for each in committed:
        print(each.partition, sum(offset < each.offset for offset in offsets[each.partition]), sep="\t")


{"people": people, "orders": orders, "read": read, "commit": commit,
 "passed": passed}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
