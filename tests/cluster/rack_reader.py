"""Reads a topic from its beginning with confluent-kafka's Python, as a consumer in a rack; prints the values.

usage: rack_reader.py BOOTSTRAP TOPIC RACK COUNT"""

import sys
import time

from confluent_kafka import Consumer

bootstrap, topic, rack, count = sys.argv[1:5]
consumer = Consumer({"bootstrap.servers": bootstrap, "client.rack": rack, "group.id": f"reader-{rack}",
                     "auto.offset.reset": "earliest", "log_level": 0})
consumer.subscribe([topic])
seen = 0
deadline = time.monotonic() + 30
while seen < int(count) and time.monotonic() < deadline:
    message = consumer.poll(1)
    if message is None:
        continue
    if message.error():
        print(message.error(), file=sys.stderr)
        continue
    print(message.value().decode(), flush=True)
    seen += 1
consumer.close()
