"""A real client (librdkafka) inside a pod: a producer with acks=all and a consumer group that goes on while the cluster
is hurt, and a checker. Prints one line of JSON at the end.

usage: pod_client.py work BOOTSTRAP TOPIC PARTITIONS   until /tmp/stop exists; `began` when the group got a record
       pod_client.py read BOOTSTRAP TOPIC PARTITIONS   reads everything: {"records": N, "numbers": [per partition]}
       pod_client.py sleep                             waits for `kubectl exec`

Per partition the records are numbered. Lost: acknowledged and not there. Doubled: there twice. A gap is the longest
time in which a partition acknowledged nothing (or the group was given nothing of it) while it was being written to."""

import collections
import json
import os
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

EVERY = 0.02  # seconds between two records of a partition


class Gaps:
    """The longest time between two events of one partition."""

    def __init__(self):
        self.last, self.longest = {}, (0.0, 0.0, -1)

    def event(self, partition):
        now = time.monotonic()
        before = self.last.get(partition, now)
        self.last[partition] = now
        self.longest = max(self.longest, (now - before, time.time(), partition))

    def told(self):
        return round(self.longest[0], 3)


class Group(threading.Thread):
    """A member of a consumer group: what it was given, and how long it had to wait for it."""

    def __init__(self, bootstrap, topic):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.gaps = Gaps()
        self.seen = collections.defaultdict(set)
        self.errors = []
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kube.group", "log_level": 0,
                                  "auto.offset.reset": "earliest", "session.timeout.ms": 10000,
                                  "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 5000})
        self.consumer.subscribe([topic])

    def run(self):
        while not self.over.is_set():
            message = self.consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                self.errors.append(str(message.error()))
                continue
            self.gaps.event(message.partition())
            self.seen[message.partition()].add(int(message.key()))
        self.consumer.close()


def work(bootstrap, topic, partitions):
    acked, failed, gaps = [{} for _ in range(partitions)], [], Gaps()
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 1,
                         "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20,
                         # A node whose plug is pulled answers nothing: by default a client waits a minute for that.
                         "socket.timeout.ms": 5000, "request.timeout.ms": 5000, "log_level": 0})
    group = Group(bootstrap, topic)
    group.start()
    told = False

    def delivered(error, message):
        if error:
            failed.append(f"{message.partition()} {message.key().decode()}: {error}")
            return
        acked[message.partition()][int(message.key())] = message.offset()
        gaps.event(message.partition())

    number, following = 0, time.monotonic()
    while not os.path.exists("/tmp/stop"):
        for partition in range(partitions):
            producer.produce(topic, key=str(number), value="x" * (number % 300), partition=partition, on_delivery=delivered)
        number += 1
        following += EVERY
        while (left := following - time.monotonic()) > 0:
            producer.poll(left)
        if not told and group.seen:
            told = True
            print("began", flush=True)
    unanswered = producer.flush(60)
    records = read_all(bootstrap, topic, partitions)
    missing_in_group = await_group(group, acked)
    result = {**judge(acked, records), "failed": len(failed) + unanswered, "first_failed": failed[:3],
              "gap": gaps.told(), "gap_partition": gaps.longest[2], "gap_at": time.strftime("%H:%M:%S", time.gmtime(gaps.longest[1])),
              "group_missing": missing_in_group, "group_gap": group.gaps.told(), "group_errors": group.errors[:3]}
    print(json.dumps(result), flush=True)


def await_group(group, acked):
    """Records that the group was not given within 20 s."""
    until = time.monotonic() + 20
    while True:
        missing = sum(len(set(numbers) - group.seen[p]) for p, numbers in enumerate(acked))
        if not missing or time.monotonic() > until:
            group.over.set()
            group.join(10)
            return missing
        time.sleep(0.2)


def judge(acked, records):
    lost = doubled = disordered = 0
    for partition, numbers in enumerate(acked):
        there = [number for _, number in records[partition]]
        at = {offset: number for offset, number in records[partition]}
        lost += sum(at.get(offset) != number for number, offset in numbers.items())
        doubled += len(there) - len(set(there))
        disordered += sum(a > b for a, b in zip(there, there[1:]))
    return {"acked": sum(map(len, acked)), "lost": lost, "doubled": doubled, "disordered": disordered}


def read_all(bootstrap, topic, partitions):
    """[(offset, number)] of each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kube.reader", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "log_level": 0})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, 0) for p in ends])
    records = [[] for _ in ends]
    waiting = {p for p, end in ends.items() if end}
    while waiting:
        message = consumer.poll(30)
        if message is None:
            raise SystemExit(f"nothing more came of {waiting}")
        if message.error():
            raise KafkaException(message.error())
        records[message.partition()].append((message.offset(), int(message.key())))
        if message.offset() + 1 >= ends[message.partition()]:
            waiting.discard(message.partition())
    consumer.close()
    return records


def read(bootstrap, topic, partitions):
    records = read_all(bootstrap, topic, partitions)
    print(json.dumps({"records": sum(map(len, records)), "numbers": [sorted({n for _, n in each})[-1:] for each in records]}))


def main():
    command, *rest = sys.argv[1:]
    if command == "sleep":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            signal.pause()
    bootstrap, topic, partitions = rest
    {"work": work, "read": read}[command](bootstrap, topic, int(partitions))


if __name__ == "__main__":
    main()
