"""Copies one topic into another, exactly once: what it reads as a member of a group it writes within transactions that
commit its offsets too (KIP-98, KIP-447). Anything that goes wrong ends the transaction, and it begins anew from what is
committed, as an application would.

usage: copier.py copy BOOTSTRAP SOURCE TARGET PARTITIONS NAME
                                                     until standard input ends and all is copied; prints `committed
                                                     MS COUNT`, `again MS ERROR` and `hung MS`
       copier.py read BOOTSTRAP TARGET PARTITIONS    prints `copy PARTITION OFFSET NAME NUMBER FROM` of what is committed;
                                                     FROM is the source's offset"""

import contextlib
import os
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from client import Ending, tell, until_told

GROUP = "chaos.copiers"
BATCH, PATIENCE = 2000, 15


@contextlib.contextmanager
def bounded():
    """librdkafka may wait for ever in send_offsets_to_transaction() when the coordinator of the group was lost at the wrong
    moment, whatever timeout it was given, and asks nobody for anything (its issues 5456 and 5511). An application would be
    killed by its supervisor and started anew, and so is this one."""
    def begin_anew():
        tell("hung", int(time.time() * 1000))
        os.execv(sys.executable, [sys.executable, "-u", *sys.argv])

    timer = threading.Timer(2 * PATIENCE, begin_anew)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def consumer_of(bootstrap, **settings):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "isolation.level": "read_committed", "log_level": 0, **settings})


def transact(producer, consumer, messages, target):
    ends = {}
    producer.begin_transaction()
    for each in messages:
        producer.produce(target, key=each.key(), value=str(each.offset()), partition=each.partition())
        ends[each.topic(), each.partition()] = each.offset() + 1
    offsets = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), PATIENCE)
    producer.commit_transaction(PATIENCE)
    tell("committed", int(time.time() * 1000), len(messages))


class Copier:
    def __init__(self, bootstrap, source, target, partitions, name):
        self.bootstrap, self.source, self.target, self.partitions, self.name = bootstrap, source, target, partitions, name
        self.over = until_told()

    def live(self):
        """Until all is done, or a transaction fails."""
        consumer = consumer_of(self.bootstrap, **{"session.timeout.ms": 6000, "client.id": self.name})
        try:
            producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": f"chaos.{self.name}", "log_level": 0,
                                 "transaction.timeout.ms": 20000})
            producer.init_transactions(PATIENCE)
            consumer.subscribe([self.source])
            ending = Ending(consumer, self.source, self.partitions, self.over)
            while not ending.reached():
                messages = [each for each in consumer.consume(BATCH, 0.2) if not each.error()]
                if messages:
                    with bounded():
                        transact(producer, consumer, messages, self.target)
        finally:
            consumer.close()

    def run(self):
        while True:
            try:
                return self.live()
            except KafkaException as problem:
                tell("again", int(time.time() * 1000), problem.args[0].name(), problem.args[0].str())


def read(bootstrap, topic, partitions):
    consumer = consumer_of(bootstrap, **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    waiting = set(range(partitions))
    while waiting:
        message = consumer.poll(30)
        if message is None:
            tell("failed", f"nothing more came of {waiting}")
            break
        if not message.error():
            name, number = message.key().decode().split(":")
            tell("copy", message.partition(), message.offset(), name, number, message.value().decode())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            waiting.discard(message.partition())
        else:
            raise KafkaException(message.error())
    consumer.close()


if __name__ == "__main__":
    if sys.argv[1] == "copy":
        Copier(*sys.argv[2:5], int(sys.argv[5]), sys.argv[6]).run()
    else:
        read(sys.argv[2], sys.argv[3], int(sys.argv[4]))
