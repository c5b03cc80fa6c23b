"""kafka-python as a transactional producer. usage: kafka_python_txn.py BOOTSTRAP PREFIX"""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from common import check, done, eventually

BOOTSTRAP, PREFIX = sys.argv[1:3]
OUT, IN, GROUP = PREFIX + ".out", PREFIX + ".in", PREFIX + ".group"


def producer():
    made = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=PREFIX + ".one", transaction_timeout_ms=60000)
    made.init_transactions()
    return made


def transaction(producer, commits, *values):
    producer.begin_transaction()
    sent = [producer.send(OUT, value.encode(), partition=0) for value in values]
    producer.flush(30)
    for each in sent:
        each.get(30)
    producer.commit_transaction() if commits else producer.abort_transaction()


def sees(isolation, want):
    """Reads from the start until it has seen the last of `want`."""
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, isolation_level=isolation, consumer_timeout_ms=20000)
    consumer.assign([TopicPartition(OUT, 0)])
    consumer.seek_to_beginning()
    seen = []
    for message in consumer:
        seen.append(message.value.decode())
        if want[-1] in seen:
            break
    consumer.close()
    check(seen == want, f"{isolation}: {seen}")


def main():
    one = producer()
    transaction(one, True, "0-0", "0-1")
    transaction(one, False, "1-0")
    transaction(one, True, "2-0")
    done("commit and abort")
    want = ["0-0", "0-1", "2-0"]
    sees("read_committed", want)
    sees("read_uncommitted", ["0-0", "0-1", "1-0", "2-0"])
    done("read_committed")

    one.begin_transaction()
    one.send(OUT, b"zombie", partition=0).get(30)
    two = producer()
    transaction(two, True, "owner")
    try:
        one.commit_transaction()
        check(False, "a fenced producer committed")
    except KafkaError:
        one.close(timeout=1)
    want.append("owner")
    sees("read_committed", want)
    done("fence")

    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=GROUP, enable_auto_commit=False)
    at = TopicPartition(IN, 0)
    for offset, commits in ((1, False), (2, True)):
        two.begin_transaction()
        two.send_offsets_to_transaction({at: OffsetAndMetadata(offset, "", -1)}, GROUP)
        two.send(OUT, f"upto-{offset}".encode(), partition=0).get(30)
        two.commit_transaction() if commits else two.abort_transaction()
        eventually(lambda: consumer.committed(at), offset if commits else None, f"committed after {offset}")
    consumer.close()
    two.close()
    sees("read_committed", [*want, "upto-2"])
    done("offsets")


main()
