"""The clients against three brokers and three controllers, topics with three replicas, while the brokers are restarted
one after the other, all the time: what they do and what is checked is in clients.py. `run.py --cluster` runs all of them,
the whole suite three."""

import collections
import os

import clients
from harness.proc import GaveUp
from harness.rolling import Rolling

SETTINGS = {"default.replication.factor": "3", "min.insync.replicas": "2"}
IN_EVERY_RUN = ["librdkafka", "java", "franz-go"]
REPLICAS = 3
# No library repeats every call that a broker's end cuts short, whatever the cluster: most of these not an admin call whose
# connection breaks, none LeaveGroup at a coordinator that has moved, so that the group waits for a member that is gone. A
# program may therefore end with an error, and is run anew with another topic and group; what it says that it did must be
# right all the same.
OFTEN = ["sarama", "kafka-python", "aiokafka", "kafkajs", "@platformatic/kafka"]
ATTEMPTS, ATTEMPTS_OFTEN = 2, 5


def name_of(name):
    return f"client of a cluster {name}: "


def run_rolling(suite, context, everybody):
    wanted = [(name, make) for name, make in clients.all_clients(context.install)
              if (everybody or name in IN_EVERY_RUN) and suite.wants(name_of(name))]
    if not wanted:
        return
    cluster = context.new_cluster(SETTINGS)
    os.environ["REPLICAS"] = str(REPLICAS)
    try:
        cluster.start()
        cluster.bootstrap = cluster.bootstrap_of_all()
        roll(suite, cluster, wanted)
        cluster.stop()
    finally:
        del os.environ["REPLICAS"]


def roll(suite, cluster, wanted):
    made = {}
    reasons = collections.defaultdict(list)  # why a program was run anew

    def attempts(name):
        return ATTEMPTS_OFTEN if name in OFTEN else ATTEMPTS

    def begin(name, make, tries):
        """Returns the attempts that are left."""
        client = made[name] = make()
        client.topic, client.group = f"{client.topic}.{tries}", f"{client.group}.{tries}"
        try:
            clients.begin(client, cluster)
        except GaveUp as failure:
            if tries == 1:
                raise
            note(name, failure)
            return begin(name, make, tries - 1)
        return tries

    def go_on(name, make, tries):
        while True:
            try:
                return clients.end(made[name], cluster)
            except GaveUp as failure:
                if tries == 1:
                    raise
                note(name, failure)
            tries = begin(name, make, tries - 1)

    def note(name, failure):
        lines = str(failure).splitlines()
        reasons[name].append(next((line.strip() for line in lines if line.strip().startswith("error\t")), lines[-1])[:150])

    def told(name):
        return " | ".join(reasons.pop(name, []))

    def first(name, make):
        def test():
            begin(name, make, attempts(name))
            return told(name)
        return name_of(name) + "creates, produces with every codec, reads half, commits", test

    def rest(name, make):
        def test():
            go_on(name, make, attempts(name))
            return told(name)
        return name_of(name) + "goes on from its commit, admin calls", test

    def phase(what, tests):
        def run():
            rolling.await_end()
            return rolling.so_far()

        with Rolling(cluster) as rolling:
            suite.run_all(tests, at_once=3)
            suite.run(f"client of a cluster: brokers restart while clients {what}", run)

    phase("begin", [first(name, make) for name, make in wanted])
    phase("go on", [rest(name, make) for name, make in wanted if name in made])
