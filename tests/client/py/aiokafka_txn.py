"""aiokafka as a transactional producer. usage: aiokafka_txn.py BOOTSTRAP PREFIX"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from common import check, done

BOOTSTRAP, PREFIX = sys.argv[1:3]
OUT, IN, GROUP = PREFIX + ".out", PREFIX + ".in", PREFIX + ".group"


async def producer():
    made = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=PREFIX + ".one", transaction_timeout_ms=60000)
    await made.start()
    return made


async def transaction(producer, commits, *values):
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(OUT, value.encode(), partition=0)
    await (producer.commit_transaction() if commits else producer.abort_transaction())


async def sees(isolation, want):
    """Reads from the start until it has seen the last of `want`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, isolation_level=isolation)
    await consumer.start()
    consumer.assign([TopicPartition(OUT, 0)])
    await consumer.seek_to_beginning()
    seen = []
    while want[-1] not in seen:
        message = await asyncio.wait_for(consumer.getone(), 20)
        seen.append(message.value.decode())
    await consumer.stop()
    check(seen == want, f"{isolation}: {seen}")


async def main():
    one = await producer()
    await transaction(one, True, "0-0", "0-1")
    await transaction(one, False, "1-0")
    await transaction(one, True, "2-0")
    done("commit and abort")
    want = ["0-0", "0-1", "2-0"]
    await sees("read_committed", want)
    await sees("read_uncommitted", ["0-0", "0-1", "1-0", "2-0"])
    done("read_committed")

    await one.begin_transaction()
    await one.send_and_wait(OUT, b"zombie", partition=0)
    two = await producer()
    await transaction(two, True, "owner")
    try:
        await one.commit_transaction()
        check(False, "a fenced producer committed")
    except KafkaError:
        await one.stop()
    want.append("owner")
    await sees("read_committed", want)
    done("fence")

    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    at = TopicPartition(IN, 0)
    consumer.assign([at])
    for offset, commits in ((1, False), (2, True)):
        await two.begin_transaction()
        await two.send_offsets_to_transaction({at: offset}, GROUP)
        await two.send_and_wait(OUT, f"upto-{offset}".encode(), partition=0)
        await (two.commit_transaction() if commits else two.abort_transaction())
        for _ in range(50):  # it does not ask for stable offsets: the marker may still be under way
            held = await consumer.committed(at)
            if held == (offset if commits else None):
                break
            await asyncio.sleep(0.1)
        check(held == (offset if commits else None), f"committed {held} after {offset}")
    await consumer.stop()
    await two.stop()
    await sees("read_committed", [*want, "upto-2"])
    done("offsets")


asyncio.run(main())
