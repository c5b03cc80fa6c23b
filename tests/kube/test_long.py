"""What takes long, or hurts the whole lab: run by `./dev kube test --all`. Each test has a namespace and a cluster of its
own."""

import random
import threading
import time

from world import IMAGE, NEXT, SYSTEM, Load, Watcher, ready, until, waits_for
from api import condition, is_ready
from harness.suite import check, equal
from test_life import LIFE, made
from test_observe import OBSERVE
from test_short import cluster

PARTITIONS = 6
KILLS = 50
IDLE = 300  # seconds
API_GONE = 300


class Killer(threading.Thread):
    """Kills every pod of the operator, as kill -9 would, at random times, until it is ended."""

    def __init__(self, world, dice):
        super().__init__(daemon=True)
        self.world, self.dice, self.over, self.kills = world, dice, threading.Event(), 0
        self.start()

    def run(self):
        # Long enough to act in between: it starts anew, takes the lease over, and looks.
        while not self.over.wait(self.dice.uniform(1, 20)):
            for pod in self.world.api.list("Pod", SYSTEM):
                self.world.api.delete("Pod", pod["metadata"]["name"], SYSTEM, grace=0)
            self.kills += 1

    def end(self):
        self.over.set()
        self.join()
        return self.kills


def rolled(world, namespace, image, count):
    pods = world.pods(namespace, "demo")
    return len(pods) == count and all(ready(pod) and pod["spec"]["containers"][0]["image"] == image for pod in pods)


def operator_killed(world, namespace):
    """The operator dies again and again while a cluster rolls and is scaled, under load."""
    made(world, namespace)
    world.topic(namespace, "demo", "kept", PARTITIONS)
    load, watcher = Load(world, namespace, "demo", "kept", PARTITIONS), Watcher(world, namespace, "demo")
    killer, images, began = Killer(world, random.Random()), [NEXT, IMAGE], time.monotonic()
    rounds = 0
    while killer.kills < KILLS and time.monotonic() - began < 1200:
        image = images[rounds % 2]
        brokers = 4 if rounds % 2 == 0 else 3
        rounds += 1
        world.api.patch("Cluster", "demo", namespace, {"spec": {"image": image, "brokers": {"replicas": brokers}}})
        until(f"round {rounds}: rolled and scaled", 600, lambda: rolled(world, namespace, image, 3 + brokers),
              explain=lambda: world.told(namespace))
    kills = killer.end()
    world.await_settled(namespace, "demo")
    watcher.wanted["broker"] = 3
    worst, result = watcher.end(), load.end()
    check(worst["broker"] <= 1 and worst["controller"] <= 1, f"more than one at a time was not ready: {worst}")
    return f"{kills} kills, {rounds} rounds in {time.monotonic() - began:.0f} s; {result}"


def scaled(world, namespace):
    """Brokers 3 -> 4 -> 3 and controllers 1 -> 3 -> 5 -> 3 -> 1, under load."""
    made(world, namespace, controllers=1)
    world.topic(namespace, "demo", "scaled", 12)
    load, took = Load(world, namespace, "demo", "scaled", 12), []
    for what, change, kind, count in (("a fourth broker", {"brokers": {"replicas": 4}}, "broker", 4),
                                      ("three controllers", {"controllers": {"replicas": 3}}, "controller", 3),
                                      ("five controllers", {"controllers": {"replicas": 5}}, "controller", 5),
                                      ("three again", {"controllers": {"replicas": 3}}, "controller", 3),
                                      ("one controller", {"controllers": {"replicas": 1}}, "controller", 1),
                                      ("three brokers", {"brokers": {"replicas": 3}}, "broker", 3)):
        began = time.monotonic()
        world.api.patch("Cluster", "demo", namespace, {"spec": change})
        until(what, 240, lambda: len([p for p in world.pods(namespace, "demo", kind) if ready(p)]) == count and
              len(world.pods(namespace, "demo", kind)) == count, explain=lambda: world.told(namespace))
        world.await_settled(namespace, "demo")
        took.append(f"{what} after {time.monotonic() - began:.0f} s")
    return f"{'; '.join(took)}; {load.end()}"


def no_such_image(world, namespace):
    """An image that does not exist stops at the first pod, is reported, and can be taken back."""
    made(world, namespace)
    world.topic(namespace, "demo", "steady", PARTITIONS)
    load, watcher = Load(world, namespace, "demo", "steady", PARTITIONS), Watcher(world, namespace, "demo")
    world.api.patch("Cluster", "demo", namespace, {"spec": {"image": "localhost/moldau:nothing"}})
    until("a pod waits for its image", 90, lambda: any("Image" in waits_for(pod) or "Pull" in waits_for(pod)
                                                       for pod in world.pods(namespace, "demo")))
    time.sleep(20)  # in which nothing more may be touched
    said = world.api.get("Cluster", "demo", namespace)
    told = [condition(said, kind) for kind in ("Ready", "Degraded", "UpgradeBlocked")]
    check(any("PodStuck" in (each or ("", ""))[1] for each in told), f"not said: {told}")
    world.api.patch("Cluster", "demo", namespace, {"spec": {"image": IMAGE}})
    until("the old image again", 120, lambda: rolled(world, namespace, IMAGE, 6), explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    worst = watcher.end()
    check(max(worst.values()) <= 1, f"more than one at a time was not ready: {worst}")
    return load.end()


def never_bound(world, namespace):
    """A volume that is never bound is said, and the cluster can be deleted."""
    world.api.apply({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "never"},
                     "provisioner": "nobody.example/none", "volumeBindingMode": "Immediate"})
    wanted = cluster(namespace, brokers=1, controllers=1)
    wanted["spec"]["brokers"]["storage"] = {"class": "never", "size": "1Gi"}
    world.api.apply(wanted)
    told = lambda kind: condition(world.api.get("Cluster", "demo", namespace), kind) or ("", "", "")  # noqa: E731
    until("it is said", 90, lambda: told("Degraded")[1] == "PodStuck", explain=lambda: world.told(namespace))
    said = told("Degraded")
    check("PersistentVolumeClaim" in said[2] and told("Ready")[0] == "False", f"Degraded says {said}, Ready {told('Ready')}")
    world.api.delete("Cluster", "demo", namespace)
    until("it is gone", 60, lambda: not world.pods(namespace, "demo") and not world.api.get("Cluster", "demo", namespace))
    return f"{said[1]}: {said[2]}"


def api_gone(world, namespace):
    """The API server is away: the cluster serves on; then all is as before."""
    made(world, namespace)
    world.topic(namespace, "demo", "served", PARTITIONS)
    load = Load(world, namespace, "demo", "served", PARTITIONS)
    began = time.monotonic()
    while time.monotonic() - began < API_GONE:
        world.lab.enter("cp", "sh", "-c", "kill -9 $(cat apiserver.pid) 2>/dev/null; true")
        time.sleep(0.5)
    until("the API server is back", 60, lambda: world.api.get("Namespace", namespace))
    until("every pod is ready", 120, lambda: rolled(world, namespace, IMAGE, 6), explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    restarts = sum(status["restartCount"] for pod in world.pods(namespace, "demo")
                   for status in pod["status"]["containerStatuses"])
    equal(restarts, 0, "restarts")
    return load.end()


def thousand_topics(world, namespace):
    """1,000 Topics applied at once are Ready within 20 s."""
    made(world, namespace)
    began, count = time.monotonic(), 1000
    topics = [{"apiVersion": "moldau.dev/v1", "kind": "Topic", "metadata": {"name": f"t{i:04}", "namespace": namespace},
               "spec": {"clusterRef": {"name": "demo"}, "partitions": 1, "replicationFactor": 3}} for i in range(count)]

    def apply(some):
        for topic in some:
            world.api.request("POST", world.api.path("Topic", namespace), topic)

    threads = [threading.Thread(target=apply, args=(topics[i::8],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    applied = time.monotonic() - began
    until("all are Ready", 120, lambda: sum(map(is_ready, world.api.list("Topic", namespace))) == count, every=1)
    took = time.monotonic() - began
    check(took <= 20, f"all Ready after {took:.1f} s (applied after {applied:.1f} s)")
    memory = world.operator_metric("process_resident_memory_bytes")
    check(memory <= 40e6, f"the operator takes {memory / 1e6:.0f} MB")
    return f"all Ready after {took:.1f} s (applied after {applied:.1f} s); the operator takes {memory / 1e6:.0f} MB"


def idle(world, namespace):
    """A cluster at rest: nothing is written to the API server."""
    made(world, namespace)
    world.topic(namespace, "demo", "still", PARTITIONS)
    world.await_settled(namespace, "demo")
    time.sleep(10)
    kinds = ("Cluster", "Topic", "Pod", "PersistentVolumeClaim", "Service", "ConfigMap", "PodDisruptionBudget", "Event")

    def versions():
        return {(kind, each["metadata"]["name"]): each["metadata"]["resourceVersion"]
                for kind in kinds for each in world.api.list(kind, namespace)}

    before, busy = versions(), world.operator_metric("process_cpu_seconds_total")
    time.sleep(IDLE)
    after, busy = versions(), (world.operator_metric("process_cpu_seconds_total") - busy) / IDLE
    equal(sorted(key for key in after if after[key] != before.get(key)), [], "what was written")
    check(busy <= 0.005, f"the operator at rest takes {busy:.2%} of a core")
    return f"0 writes in {IDLE} s to {len(before)} objects; the operator takes {busy:.2%} of a core"


def many(world, namespace):
    """Ten clusters and 1,000 topics: the operator's memory, and what it does when all is done."""
    count, each = 10, 100
    for number in range(count):
        wanted = cluster(namespace, f"c{number}", controllers=1, brokers=1)
        for kind in ("controllers", "brokers"):
            wanted["spec"][kind]["storage"] = {"size": "1Gi"}
        world.api.apply(wanted)
    for number in range(count):
        world.await_cluster(namespace, f"c{number}", 240)
    for number in range(count):
        for i in range(each):
            world.api.request("POST", world.api.path("Topic", namespace), {
                "apiVersion": "moldau.dev/v1", "kind": "Topic", "metadata": {"name": f"c{number}-t{i:03}", "namespace": namespace},
                "spec": {"clusterRef": {"name": f"c{number}"}, "partitions": 1, "replicationFactor": 1}})
    until("all are Ready", 120, lambda: sum(map(is_ready, world.api.list("Topic", namespace))) == count * each, every=1)
    peak = world.operator_metric("process_resident_memory_bytes")
    time.sleep(30)
    calm = world.operator_metric("process_resident_memory_bytes")
    before = [world.operator_metric(name) for name in ("process_cpu_seconds_total", "moldau_operator_api_writes_total")]
    time.sleep(IDLE)
    after = [world.operator_metric(name) for name in ("process_cpu_seconds_total", "moldau_operator_api_writes_total")]
    busy, writes = (after[0] - before[0]) / IDLE, after[1] - before[1]
    later = world.operator_metric("process_resident_memory_bytes")
    told = (f"{peak / 1e6:.0f} MB when all were Ready, {calm / 1e6:.0f} MB after 30 s, {later / 1e6:.0f} MB after {IDLE} s more; "
            f"{busy:.2%} of a core and {writes:.0f} writes in these")
    check(max(calm, later) <= 40e6 and busy <= 0.005 and writes == 0, told)
    return told


LONG = (("scaled", scaled), ("no-such-image", no_such_image), ("never-bound", never_bound), ("api-gone", api_gone),
        ("thousand-topics", thousand_topics), ("many", many), ("idle", idle), ("operator-killed", operator_killed))


def run_long(suite, world):
    for name, test in (*LONG[:3], *LIFE, *OBSERVE, *LONG[3:]):
        full = f"kube long: {name}: {test.__doc__.splitlines()[0]}"
        if not suite.wants(full):
            continue
        with world.namespace("long-" + name) as namespace:
            before = suite.failed
            suite.run(full, lambda test=test: str(test(world, namespace)))
            if suite.failed > before:
                print(f"--- namespace {namespace}\n{world.told(namespace)}\n--- the operator\n{world.operator_log(40)}")
