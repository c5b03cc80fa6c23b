"""What goes wrong in a chaos run. Each fault is done to some nodes (or between two machines) and undone after a while;
one at a time, since the promise is that any one of the nodes may go. `kill-all` is the exception: every process of the
cluster dies at once, which costs availability and no record."""


class Fault:
    """done(): begins. undone(): as it was. `kind` is its name for --only, `text` says what, for the report. `within`:
    seconds after its end in which everything has to be in sync again."""

    def __init__(self, kind, text, done, undone, within=60):
        self.kind, self.text, self.done, self.undone, self.within = kind, text, done, undone, within


def kill(kind, node):
    return Fault(kind, f"kill -9 {node.name}", node.kill, node.start)


def kill_all(kind, cluster):
    def each(what):
        def run():
            for node in cluster.nodes:
                getattr(node, what)()
        return run
    return Fault(kind, "kill -9 of all nodes", each("kill"), each("start"))


def stop(kind, node):
    return Fault(kind, f"SIGTERM {node.name}", node.stop, node.start)


def pause(kind, node):
    return Fault(kind, f"SIGSTOP {node.name}", node.pause, node.resume)


def fill(kind, node):
    return Fault(kind, f"fill the disk of {node.name}", node.fill, node.drain)


def cut_off(kind, network, node, one_way=None):
    """From every other machine of the cluster and from the clients. One way: it is not heard ("mute"), or does not
    hear ("deaf")."""
    def done():
        for other in network.machines:
            if other is node.machine:
                continue
            if one_way != "deaf":
                other.deaf_to(node.machine)
            if one_way != "mute":
                node.machine.deaf_to(other)
    way = {None: "is cut off", "mute": "is heard by nobody", "deaf": "hears nobody"}[one_way]
    return Fault(kind, f"{node.name} {way}", done, network.heal)


def cut_between(kind, network, a, b):
    def done():
        a.machine.deaf_to(b.machine)
        b.machine.deaf_to(a.machine)
    return Fault(kind, f"cut between {a.name} and {b.name}", done, network.heal)


def clog(kind, node):
    """Everything that leaves it queues up: delays of half a second and more, and drops behind a full queue."""
    return Fault(kind, f"{node.name} sends at 256 kbit/s", lambda: node.machine.slow("256kbit"), node.machine.fast)


def kinds(dice, cluster):
    """{name: makes one of that kind}"""
    network = cluster.network
    broker = lambda: dice.choice(cluster.brokers)  # noqa: E731
    controller = lambda: dice.choice(cluster.controllers)  # noqa: E731
    makers = {
        "kill-broker": lambda k: kill(k, broker()),
        "kill-controller": lambda k: kill(k, controller()),
        "kill-all": lambda k: kill_all(k, cluster),
        "term-broker": lambda k: stop(k, broker()),
        "term-controller": lambda k: stop(k, controller()),
        "pause-broker": lambda k: pause(k, broker()),
        "pause-controller": lambda k: pause(k, controller()),
        "cut-broker": lambda k: cut_off(k, network, broker()),
        "cut-controller": lambda k: cut_off(k, network, controller()),
        "mute-broker": lambda k: cut_off(k, network, broker(), one_way="mute"),
        "deaf-broker": lambda k: cut_off(k, network, broker(), one_way="deaf"),
        "mute-controller": lambda k: cut_off(k, network, controller(), one_way="mute"),
        "cut-brokers": lambda k: cut_between(k, network, *dice.sample(cluster.brokers, 2)),
        "cut-broker-controller": lambda k: cut_between(k, network, broker(), controller()),
        "clog-broker": lambda k: clog(k, broker()),
        "fill-broker": lambda k: fill(k, broker()),
    }
    if not all(each.mounted for each in cluster.brokers):
        del makers["fill-broker"]
    return makers


def deal(dice, cluster, only):
    """Without end: every kind once, in an order of chance, then again."""
    makers = {kind: make for kind, make in kinds(dice, cluster).items() if not only or any(word in kind for word in only.split(","))}
    if not makers:
        raise SystemExit(f"no such fault: {only}; there are: {' '.join(kinds(dice, cluster))}")
    while True:
        for kind in dice.sample(sorted(makers), len(makers)):
            yield makers[kind](kind)
