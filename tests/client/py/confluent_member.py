"""confluent-kafka as a member of a group until it is ended: prints what it owns and reads, commits what it has read.
usage: confluent_member.py BOOTSTRAP TOPIC GROUP [PROTOCOL], which is consumer (the default) or classic"""

import signal
import sys

from confluent_kafka import Consumer, KafkaException

BOOTSTRAP, TOPIC, GROUP = sys.argv[1:4]
PROTOCOL = sys.argv[4] if len(sys.argv) > 4 else "consumer"
ended = False


def end(*_):
    global ended
    ended = True


def main():
    signal.signal(signal.SIGTERM, end)
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": GROUP, "group.protocol": PROTOCOL,
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([TOPIC])
    owned = -1
    while not ended:
        message = consumer.poll(0.2)
        if len(consumer.assignment()) != owned:
            owned = len(consumer.assignment())
            print(f"assigned\t{owned}", flush=True)
        if message is None or message.error():
            continue
        print("polled\t1", flush=True)
        try:
            consumer.commit(message, asynchronous=False)
            print("read\t1", flush=True)
        except KafkaException as error:
            print(f"fenced\t{error}", flush=True)
    consumer.close()
    print("closed", flush=True)


main()
