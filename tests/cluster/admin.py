"""Asks a cluster through confluent-kafka's Python.

usage: admin.py create BOOTSTRAP TOPIC PARTITIONS FACTOR [KEY=VALUE...]
       admin.py describe BOOTSTRAP TOPIC      prints `partition NUMBER LEADER REPLICAS ISR`, lists with commas"""

import sys

from confluent_kafka.admin import AdminClient, NewTopic


def create(bootstrap, topic, partitions, factor, *configs):
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    made = admin.create_topics([NewTopic(topic, int(partitions), int(factor), config=dict(c.split("=", 1) for c in configs))])
    made[topic].result(20)


def describe(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for number, p in sorted(admin.list_topics(topic, timeout=10).topics[topic].partitions.items()):
        print("partition", number, p.leader, ",".join(map(str, p.replicas)), ",".join(map(str, sorted(p.isrs))), sep="\t")


if __name__ == "__main__":
    {"create": create, "describe": describe}[sys.argv[1]](*sys.argv[2:])
