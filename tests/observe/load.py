"""Load of every kind that the dashboards show: records of two topics, a group that keeps up and one that sleeps,
transactions that commit and that abort, a compacted topic, and batches that must be refused. Runs until its
standard input ends.

usage: load.py BOOTSTRAP"""

import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

STOP = threading.Event()
TOPICS = {  # name: (partitions, replicas, configs)
    "orders": (6, 3, {}),
    "payments": (3, 3, {}),
    "lonely": (6, 1, {}),  # offline with whoever holds it
    "strict": (3, 3, {"min.insync.replicas": "3"}),  # refuses writes without everybody
    "profiles": (3, 3, {"cleanup.policy": "compact", "segment.bytes": "1048576", "max.compaction.lag.ms": "1000"}),
}


def client(bootstrap, **more):
    return {"bootstrap.servers": bootstrap, "log_level": 0, **{k.replace("_", "."): v for k, v in more.items()}}


def create(bootstrap):
    admin = AdminClient(client(bootstrap))
    made = admin.create_topics([NewTopic(name, partitions, replicas, config=configs)
                                for name, (partitions, replicas, configs) in TOPICS.items()])
    for each in made.values():
        each.result(30)


def produce(bootstrap):
    producer = Producer(client(bootstrap, linger_ms=5))
    number = 0
    while not STOP.wait(0.02):
        for _ in range(40):
            number += 1
            try:
                producer.produce("orders", key=str(number), value=b"x" * 500)
                producer.produce("profiles", key=str(number % 100), value=b"y" * 2000)
            except BufferError:  # full while brokers are away
                break
        producer.poll(0)


def produce_refused(bootstrap):
    """Gives up each record at once, so that each try is a refusal while a broker is away."""
    producer = Producer(client(bootstrap, retries=0, linger_ms=0, message_timeout_ms=2000))
    while not STOP.wait(0.05):
        for partition in range(3):
            producer.produce("strict", value=b"z", partition=partition)
        producer.poll(0)


def transact(bootstrap):
    number = 0
    while not STOP.is_set():
        producer = Producer(client(bootstrap, transactional_id="till"))
        try:
            producer.init_transactions(20)
            while not STOP.wait(0.05):
                number += 1
                producer.begin_transaction()
                producer.produce("payments", value=str(number))
                if number % 5:
                    producer.commit_transaction(20)
                else:
                    producer.abort_transaction(20)
        except KafkaException:
            STOP.wait(0.5)


def consume(bootstrap):
    consumer = Consumer(client(bootstrap, group_id="shop", auto_offset_reset="earliest", auto_commit_interval_ms=500))
    consumer.subscribe(["orders"])
    while not STOP.is_set():
        consumer.consume(500, 0.2)
    consumer.close()


def sleep(bootstrap):
    """Commits the beginning, and never comes back."""
    consumer = Consumer(client(bootstrap, group_id="sleeper", enable_auto_commit=False))
    consumer.commit(offsets=[TopicPartition("orders", p, 0) for p in range(TOPICS["orders"][0])], asynchronous=False)
    consumer.close()


def main():
    bootstrap = sys.argv[1]
    create(bootstrap)
    sleep(bootstrap)
    jobs = [threading.Thread(target=job, args=(bootstrap,), daemon=True)
            for job in (produce, produce_refused, transact, consume)]
    for job in jobs:
        job.start()
    print("under load", flush=True)
    sys.stdin.read()
    STOP.set()
    deadline = time.monotonic() + 10
    for job in jobs:
        job.join(max(0, deadline - time.monotonic()))


if __name__ == "__main__":
    main()
