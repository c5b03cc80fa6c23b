"""confluent-kafka as a transactional producer: commit, abort, fence, offsets within a transaction, and what
a consumer with either isolation sees. usage: confluent_txn.py BOOTSTRAP PREFIX [leave]
`leave` only begins a transaction, and is gone."""

import os
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from common import check, done

BOOTSTRAP, PREFIX, *LEAVE = sys.argv[1:]
INPUT, OUTPUT, GROUP = PREFIX + ".in", PREFIX + ".out", PREFIX + ".group"


def producer(transactional_id):
    made = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": transactional_id, "linger.ms": 5,
                     "transaction.timeout.ms": 60000})
    made.init_transactions(30)
    return made


MOVED = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
         KafkaError._TRANSPORT)


def committed_offset(consumer):
    """The library hands on that a coordinator has moved: whoever asks is to ask again."""
    for left in range(20, -1, -1):
        try:
            return consumer.committed([TopicPartition(INPUT, 0)], 30)[0].offset
        except KafkaException as failure:
            if left == 0 or failure.args[0].code() not in MOVED:
                raise
            consumer.poll(0.2)


def read(topic, isolation, count, group=None):
    """Values of partition 0 from the start until its end, which at least `count` records come before."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group or PREFIX + ".reader",
                         "isolation.level": isolation, "enable.partition.eof": True, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen = []
    while True:
        message = consumer.poll(20)
        check(message is not None, f"nothing to read for 20 s; so far {seen}")
        if message.error():
            break
        seen.append(message.value().decode())
    consumer.close()
    check(len(seen) >= count, f"{isolation}: {seen}")
    return seen


def leave_open():
    left = producer(PREFIX + ".left")
    left.begin_transaction()
    left.produce(OUTPUT, "left open", partition=0)
    left.flush(30)
    os._exit(0)  # as if killed


def main():
    one = producer(PREFIX + ".one")
    for i, commits in enumerate([True, False, True, True, False]):
        one.begin_transaction()
        for j in range(3):
            one.produce(OUTPUT, f"{i}-{j}", partition=0)
        if commits:
            one.commit_transaction(30)
        else:
            one.flush(30)
            one.abort_transaction(30)
    done("commit and abort")
    want = [f"{i}-{j}" for i in (0, 2, 3) for j in range(3)]
    seen = read(OUTPUT, "read_committed", len(want))
    check(seen == want, f"read_committed: {seen}")
    check(len(read(OUTPUT, "read_uncommitted", 9)) >= 9, "read_uncommitted")
    done("read_committed")

    one.begin_transaction()
    one.produce(OUTPUT, "zombie", partition=0)
    one.flush(30)
    check("zombie" not in read(OUTPUT, "read_committed", 9), "an open transaction is seen")
    two = producer(PREFIX + ".one")
    try:
        one.commit_transaction(30)
        check(False, "a fenced producer committed")
    except KafkaException as error:
        check(error.args[0].fatal(), f"fenced: {error}")
    two.begin_transaction()
    two.produce(OUTPUT, "owner", partition=0)
    two.commit_transaction(30)
    check(read(OUTPUT, "read_committed", 10) == want + ["owner"], "after the fence")
    done("fence")

    source = Producer({"bootstrap.servers": BOOTSTRAP})
    for i in range(10):
        source.produce(INPUT, str(i), partition=0)
    check(source.flush(30) == 0, "filling the input")
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": GROUP, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe([INPUT])
    for commits, upto in ((False, 5), (True, 7)):
        consumer.assignment() or consumer.poll(0)
        two.begin_transaction()
        position = [TopicPartition(INPUT, 0, upto)]
        while not consumer.assignment():
            consumer.poll(0.2)
        two.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), 30)
        two.produce(OUTPUT, f"upto-{upto}", partition=0)
        if commits:
            two.commit_transaction(30)
        else:
            two.abort_transaction(30)
        committed = committed_offset(consumer)
        check(committed == (upto if commits else -1001), f"committed {committed} after {upto}, {commits}")
    consumer.close()
    check(read(OUTPUT, "read_committed", 11)[-1] == "upto-7", "the output of the committed offsets")
    done("offsets")


leave_open() if LEAVE else main()
