"""What goes wrong in a chaos run: each fault is done to one node (or between two machines) and undone after a while."""


class Fault:
    """done(): begins. undone(): as it was. `text` says what, for the report."""

    def __init__(self, text, done, undone):
        self.text, self.done, self.undone = text, done, undone


def kill(node):
    return Fault(f"kill -9 {node.name}", node.kill, node.start)


def stop(node):
    return Fault(f"SIGTERM {node.name}", node.stop, node.start)


def pause(node):
    return Fault(f"SIGSTOP {node.name}", node.pause, node.resume)


def fill(node):
    return Fault(f"fill the disk of {node.name}", node.fill, node.drain)


def cut_off(network, node, one_way=False):
    """From every other machine of the cluster and from the clients."""
    def done():
        for other in network.machines:
            if other is node.machine:
                continue
            other.deaf_to(node.machine)
            if not one_way:
                node.machine.deaf_to(other)
    way = "is heard by nobody" if one_way else "is cut off"
    return Fault(f"{node.name} {way}", done, network.heal)


def cut_between(network, a, b):
    def done():
        a.machine.deaf_to(b.machine)
        b.machine.deaf_to(a.machine)
    return Fault(f"cut between {a.name} and {b.name}", done, network.heal)


def draw(dice, cluster, with_disks):
    """A random fault. One at a time: the promise is that any one of the nodes may go."""
    broker, controller = dice.choice(cluster.brokers), dice.choice(cluster.controllers)
    node = dice.choice((broker, broker, controller))
    kinds = [lambda: kill(node), lambda: kill(node), lambda: stop(node), lambda: pause(node),
             lambda: cut_off(cluster.network, node), lambda: cut_off(cluster.network, broker, one_way=True),
             lambda: cut_between(cluster.network, *dice.sample(cluster.brokers, 2)),
             lambda: cut_between(cluster.network, broker, controller)]
    if with_disks:
        kinds.append(lambda: fill(broker))
    return dice.choice(kinds)()
