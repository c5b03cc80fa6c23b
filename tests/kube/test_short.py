"""What has to work before a change lands: install, a cluster and a topic, clients in pods, a rolling upgrade, a node that
dies. The first three tests share a cluster: making one takes long."""

import json
import os
import time

from world import IMAGE, NEXT, ROOT, Load, Watcher, ready, until
from api import ApiError, condition, is_ready
from harness.suite import check, equal

DEMO, PARTITIONS = "demo", 6
READY_WITHIN = 30  # the figure of issue 6, with the images on the nodes


def cluster(namespace, name="demo", controllers=3, brokers=3, **spec):
    return {"apiVersion": "moldau.dev/v1", "kind": "Cluster", "metadata": {"name": name, "namespace": namespace}, "spec": {
        "image": IMAGE, "controllers": {"replicas": controllers}, "brokers": {"replicas": brokers}, **spec}}


def samples(world, namespace):
    """What docs/kubernetes.md says, word for word: the samples, kubectl wait, a client."""
    began = time.monotonic()
    folder = os.path.join(ROOT, "manifests/samples")
    world.lab.kubectl("apply", "-n", namespace, "-f", os.path.join(folder, "cluster.yaml"))
    took = world.await_cluster(namespace, DEMO)
    check(took <= READY_WITHIN, f"Ready only after {took:.1f} s")
    world.lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", "cluster/demo", "--timeout=5s")
    world.lab.kubectl("apply", "-n", namespace, "-f", os.path.join(folder, "topic.yaml"))
    world.lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", "topic", "--all", "--timeout=30s")
    ready_in = time.monotonic() - began
    return f"cluster Ready after {took:.1f} s, with its topic {ready_in:.1f} s"


def clients(world, namespace):
    """kcat and our own command line, in pods."""
    topic = world.api.list("Topic", namespace)[0]
    name = topic["spec"].get("topicName") or topic["metadata"]["name"]
    address = f"{DEMO}-bootstrap.{namespace}.svc.cluster.local:9092"
    options = ["-b", address, "-t", name]
    world.run_client(namespace, "produce", *options, "-P", "-X", "acks=all", "/opt/client/pod_client.py", "-k", "a", "-p", "0",
                     command=["kcat"])
    text = world.run_client(namespace, "consume", *options, "-C", "-e", "-q", "-o", "beginning", command=["kcat"])
    check("librdkafka" in text, f"kcat consumed {text[:200]!r}")
    text = world.run_client(namespace, "cli", "consume", name, "-b", address, "-e", image=IMAGE, command=["moldau"])
    check("librdkafka" in text, f"moldau consumed {text[:200]!r}")


def nothing_open(world, namespace):
    """All pods run under `restricted` with a read-only root and no token; volumes and budgets are there."""
    pods = world.pods(namespace, DEMO)
    equal(len(pods), 6, "pods")
    for pod in pods:
        spec, name = pod["spec"], pod["metadata"]["name"]
        check(spec.get("automountServiceAccountToken") is False, f"{name} has a token")
        check(spec["securityContext"].get("runAsUser") == 10001, f"{name} runs as another user")
        for container in spec["containers"]:
            check(container["securityContext"].get("readOnlyRootFilesystem"), f"{name} may write its root")
        check(all(status.get("restartCount") == 0 for status in pod["status"]["containerStatuses"]), f"{name} was restarted")
    equal(len(world.api.list("PersistentVolumeClaim", namespace)), 6, "volumes")
    equal(sorted(each["metadata"]["name"] for each in world.api.list("PodDisruptionBudget", namespace)),
          ["demo-brokers", "demo-controllers"], "disruption budgets")


def roll(world, namespace):
    """Every pod gets another image, while a producer and a group go on."""
    world.topic(namespace, DEMO, "rolled", PARTITIONS)
    load = Load(world, namespace, DEMO, "rolled", PARTITIONS)
    time.sleep(2)  # of load before it begins
    watcher = Watcher(world, namespace, DEMO)
    began = time.monotonic()
    world.api.patch("Cluster", DEMO, namespace, {"spec": {"image": NEXT}})

    def rolled():
        pods = world.pods(namespace, DEMO)
        return len(pods) == 6 and all(ready(pod) and pod["spec"]["containers"][0]["image"] == NEXT for pod in pods)

    until("every pod runs the new image", 300, rolled, explain=lambda: world.told(namespace))
    took = time.monotonic() - began
    world.await_settled(namespace, DEMO, 60)
    worst = watcher.end()
    result = load.end()
    check(max(worst.values()) <= 1, f"more than one at a time was not ready: {worst}")
    check(took <= 180, f"it took {took:.0f} s")
    return (f"{took:.0f} s; {result['acked']} records, 0 failed, lost or doubled; longest gap {result['gap']} s, "
            f"of the group {result['group_gap']} s")


def node_killed(world, namespace):
    """A node's plug is pulled under load, and put back."""
    world.topic(namespace, DEMO, "bereft", PARTITIONS)
    brokers = world.pods(namespace, DEMO, "broker")
    victim = brokers[-1]["spec"]["nodeName"]
    other = next(f"n{i}" for i in (1, 2, 3) if f"n{i}" != victim and f"n{i}" != world.operator_node())
    load = Load(world, namespace, DEMO, "bereft", PARTITIONS, node=other)
    time.sleep(2)
    began = time.monotonic()
    world.lab.kill_node(victim)
    time.sleep(8)  # long enough for brokers to be fenced and leaders to move
    world.lab.up()
    gone = time.monotonic() - began

    def back():
        pods = world.pods(namespace, DEMO)
        return len(pods) == 6 and all(ready(pod) for pod in pods)

    until("every pod is ready again", 120, back, explain=lambda: world.told(namespace))
    world.await_settled(namespace, DEMO, 120)
    took = time.monotonic() - began
    result = load.end()
    return (f"away for {gone:.0f} s, whole again after {took:.0f} s; {result['acked']} records, 0 failed, lost or doubled; "
            f"longest gap {result['gap']} s")


def refused_at_apply(world, namespace):
    """What can be seen to be wrong is refused by the API server, with the field's name."""
    for wrong, word in ((cluster(namespace, "bad", controllers=2), "controllers"),
                        (cluster(namespace, "bad", brokers=-1), "brokers"),
                        (cluster(namespace, "bad", colour="blue"), "colour")):
        try:
            world.api.request("POST", world.api.path("Cluster", namespace) + "?fieldValidation=Strict", wrong)
        except ApiError as error:
            check(error.status in (400, 422) and word in str(error), f"{wrong['spec']}: {error}")
        else:
            check(False, f"{wrong['spec']} was taken")


def deleted(world, namespace):
    """The resource goes, its pods go, its volumes stay; applied again it finds its data."""
    world.topic(namespace, DEMO, "kept", PARTITIONS)
    load = Load(world, namespace, DEMO, "kept", PARTITIONS)
    time.sleep(1)  # of records
    written = load.end()["acked"]
    volumes = {each["metadata"]["name"]: each["metadata"]["uid"] for each in world.api.list("PersistentVolumeClaim", namespace)}
    world.api.delete("Cluster", DEMO, namespace)
    until("its pods are gone", 60, lambda: not world.pods(namespace, DEMO), explain=lambda: world.told(namespace))
    equal(len(volumes), 6, "volumes")
    world.api.apply(cluster(namespace, DEMO))
    world.await_cluster(namespace, DEMO)
    equal({each["metadata"]["name"]: each["metadata"]["uid"] for each in world.api.list("PersistentVolumeClaim", namespace)},
          volumes, "volumes")
    text = world.run_client(namespace, "after", "read", f"{DEMO}-bootstrap.{namespace}:9092", "kept", str(PARTITIONS))
    equal(json.loads(text)["records"], written, "records read after the cluster was deleted and applied again")
    return f"{written} records"


SHORT = (("samples", samples), ("clients", clients), ("restricted", nothing_open), ("refused", refused_at_apply), ("roll", roll),
         ("node-dies", node_killed), ("deleted", deleted))


def run_short(suite, world):
    """One cluster for all: the first test makes it, or this does when that one is not wanted."""
    wanted = [(f"kube: {name}: {test.__doc__.splitlines()[0]}", test) for name, test in SHORT]
    wanted = [(full, test) for full, test in wanted if suite.wants(full)]
    if not wanted:
        return
    with world.namespace("demo") as namespace:
        if wanted[0][1] is not samples:
            samples(world, namespace)
        for full, test in wanted:
            before = suite.failed
            suite.run(full, lambda test=test: test(world, namespace))
            if suite.failed > before:
                print(f"--- namespace {namespace}\n{world.told(namespace)}\n--- the operator\n{world.operator_log(40)}")
