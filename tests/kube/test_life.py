"""What happens to a cluster in the years of its life: settings, volumes that grow, racks, clients from outside, a machine
lost for good, everything restored from volumes, a namespace deleted. Run by `./dev kube test --all`."""

import json
import os
import time

from world import IMAGE, NEXT, ROOT, SYSTEM, Load, ready, until, waits_for
from api import ApiError, condition, is_ready
from harness.suite import check, equal
from test_short import cluster

PARTITIONS = 6


def made(world, namespace, within=180, **options):
    world.api.apply(cluster(namespace, **options))
    world.await_cluster(namespace, options.get("name", "demo"), within)


def uids(world, namespace, kind="Pod"):
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in world.api.list(kind, namespace, "moldau.dev/cluster=demo")}


def patch(world, namespace, spec):
    world.api.patch("Cluster", "demo", namespace, {"spec": spec})


def told(world, namespace, kind, name="demo"):
    return condition(world.api.get("Cluster", name, namespace), kind) or ("", "", "")


def cli(world, namespace, name, *words):
    return world.run_client(namespace, name, *words, "--brokers", "demo-bootstrap:9092", image=IMAGE, command=["moldau"])


def changes(world, namespace):
    """A setting online, a setting that takes restarts, volumes that grow: all under load."""
    made(world, namespace)
    world.topic(namespace, "demo", "changed", PARTITIONS)
    load, before = Load(world, namespace, "demo", "changed", PARTITIONS), uids(world, namespace)
    patch(world, namespace, {"config": {"message.max.bytes": "2000000"}})
    until("it is set", 60, lambda: "message.max.bytes" in str(world.api.get("ConfigMap", "demo-online-config", namespace)),
          explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    patch(world, namespace, {"brokers": {"storage": {"size": "20Gi"}}})

    def sizes():
        return [each["status"].get("capacity", {}).get("storage")
                for each in world.api.list("PersistentVolumeClaim", namespace, "moldau.dev/cluster=demo")
                if "-broker-" in each["metadata"]["name"]]
    until("the volumes have grown", 60, lambda: sizes() == ["20Gi"] * 3, explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    equal(uids(world, namespace), before, "pods: nothing of that takes a restart")
    patch(world, namespace, {"config": {"moldau.reactors": "1"}})

    def restarted():
        pods = world.pods(namespace, "demo", "broker")
        return len(pods) == 3 and all(ready(pod) and before[pod["metadata"]["name"]] != pod["metadata"]["uid"] for pod in pods)
    until("every broker has restarted", 240, restarted, explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    return load.end()


def cannot_grow(world, namespace):
    """A volume whose class does not let it grow: said with Kubernetes' words, and the cluster serves on."""
    world.api.apply({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fixed"},
                     "provisioner": "kubelab/local", "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"})
    wanted = cluster(namespace, brokers=1, controllers=1)
    wanted["spec"]["brokers"]["storage"] = {"class": "fixed", "size": "1Gi"}
    world.api.apply(wanted)
    world.await_cluster(namespace, "demo")
    patch(world, namespace, {"brokers": {"storage": {"size": "2Gi"}}})
    until("it is said", 60, lambda: told(world, namespace, "Progressing")[1] == "ActionFailed", explain=lambda: world.told(namespace))
    said = told(world, namespace, "Progressing")[2]
    check("data-demo-broker-1" in said and "resize" in said, said)
    equal(told(world, namespace, "Ready")[0], "True", "Ready")
    return said


def racks(world, namespace):
    """Racks by the label of the machines; and a roll that may take two of different racks, if the controllers say so."""
    made(world, namespace, rack={"topologyKey": "topology.kubernetes.io/zone"}, updatePolicy={"maxUnavailable": 2},
         config={"min.insync.replicas": "2"})
    zones = {node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in world.api.list("Node")}
    wanted = {}
    for pod in world.pods(namespace, "demo", "broker"):
        name = pod["metadata"]["name"]
        wanted[name.rsplit("-", 1)[1]] = zones[pod["spec"]["nodeName"]]
        text = world.api.get("ConfigMap", name + "-config", namespace)["data"]["broker.yaml"]
        check(f'broker.rack: "{zones[pod["spec"]["nodeName"]]}"' in text, text)
    listed = json.loads(cli(world, namespace, "brokers", "broker", "list", "--json"))
    brokers = listed if isinstance(listed, list) else listed["brokers"]
    equal({str(each.get("id", each.get("broker"))): each["rack"] for each in brokers}, wanted, "racks of registered brokers")
    world.topic(namespace, "demo", "spread", PARTITIONS)
    load = Load(world, namespace, "demo", "spread", PARTITIONS)
    patch(world, namespace, {"image": NEXT})
    until("rolled", 300, lambda: all(ready(pod) and pod["spec"]["containers"][0]["image"] == NEXT
                                     for pod in world.pods(namespace, "demo")), explain=lambda: world.told(namespace))
    world.await_settled(namespace, "demo")
    return f"{sorted(wanted.values())}; {load.end()}"


def outside(world, namespace):
    """Clients by the machines' ports, and by load balancers (the test is their controller)."""
    world.api.apply(cluster(namespace, controllers=1, listeners=[
        {"name": "client", "port": 9092}, {"name": "ports", "port": 9095, "type": "nodePort"},
        {"name": "balanced", "port": 9096, "type": "loadBalancer"}]))
    until("it waits for the load balancer", 60, lambda: told(world, namespace, "Progressing")[1] == "WaitingForAddress",
          explain=lambda: world.told(namespace))
    services = [each["metadata"]["name"] for each in world.api.list("Service", namespace)
                if each["spec"]["type"] == "LoadBalancer"]
    equal(len(services), 4, "load balancers")
    for number, name in enumerate(sorted(services)):
        world.api.request("PATCH", world.api.path("Service", namespace, name) + "/status",
                          {"status": {"loadBalancer": {"ingress": [{"ip": f"10.99.0.{number + 1}"}]}}}, "application/merge-patch+json")
    world.await_cluster(namespace, "demo")
    world.await_settled(namespace, "demo")
    world.topic(namespace, "demo", "outside", 3, replication=3)
    said = {each["name"]: each["bootstrapServers"] for each in world.api.get("Cluster", "demo", namespace)["status"]["listeners"]}
    for name, expected in (("ports", "10.89.0.1"), ("balanced", "10.99.0.")):
        address = said[name]
        check(address.startswith(expected), f"bootstrapServers of {name}: {address}")
        known = world.run_client(namespace, "list-" + name, "-b", address, "-L", command=["kcat"])
        check(known.count(f" at {expected}") == 3, f"what brokers say of themselves at {name}: {known}")
        options = ["-b", address, "-t", "outside"]
        world.run_client(namespace, "produce-" + name, *options, "-P", "-X", "acks=all", "/opt/client/pod_client.py", "-k", "a",
                         command=["kcat"])
        text = world.run_client(namespace, "consume-" + name, *options, "-C", "-e", "-q", "-o", "beginning", command=["kcat"])
        check("librdkafka" in text, f"kcat consumed {text[:200]!r}")
    return said


def machine_lost(world, namespace):
    """A machine lost for good with its volumes: as docs/kubernetes.md says, under load."""
    made(world, namespace, config={"min.insync.replicas": "2"})
    world.topic(namespace, "demo", "bereft", PARTITIONS)
    on = {}
    for pod in world.pods(namespace, "demo"):
        on.setdefault(pod["spec"]["nodeName"], []).append(pod["metadata"]["name"])
    victim = next(node for node in ("n3", "n2", "n1") if node != world.operator_node() and len(on.get(node, [])) == 2)
    other = next(node for node in ("n1", "n2", "n3") if node not in (victim, world.operator_node()))
    load, began = Load(world, namespace, "demo", "bereft", PARTITIONS, node=other), time.monotonic()
    world.lab.kill_node(victim)
    try:
        until("the cluster knows", 60, lambda: told(world, namespace, "Degraded")[0] == "True" or any(
            not ready(pod) for pod in world.pods(namespace, "demo")), explain=lambda: world.told(namespace))
        world.lab.kubectl("delete", "node", victim)
        for name in sorted(on[victim]):
            world.lab.kubectl("delete", "pvc", "data-" + name, "-n", namespace, "--wait=false")
            world.lab.kubectl("delete", "pod", name, "-n", namespace, "--force", "--grace-period=0", "--ignore-not-found")
        until("every pod is ready elsewhere", 180, lambda: len(world.pods(namespace, "demo")) == 6 and all(
            ready(pod) and pod["spec"]["nodeName"] != victim for pod in world.pods(namespace, "demo")),
            explain=lambda: world.told(namespace))
        world.await_settled(namespace, "demo")
        until("nothing is under-replicated", 120, lambda: told(world, namespace, "Stable")[0] == "True",
              explain=lambda: world.told(namespace))
        took = time.monotonic() - began
        result = load.end()
    finally:
        world.lab.up()
    return f"{', '.join(sorted(on[victim]))} lost; whole again after {took:.0f} s; {result}"


def restored(world, namespace):
    """Back up and restore: the volumes, the claims' names and labels, the resources; all else is made anew."""
    made(world, namespace)
    world.topic(namespace, "demo", "saved", PARTITIONS)
    load = Load(world, namespace, "demo", "saved", PARTITIONS)
    time.sleep(2)  # of records
    written = load.end()["acked"]
    identity = world.api.get("Cluster", "demo", namespace)["status"]["clusterId"]
    topic_id = world.api.get("Topic", "saved", namespace)["status"]["topicId"]
    claims = world.api.list("PersistentVolumeClaim", namespace, "moldau.dev/cluster=demo")
    for each in claims:
        world.api.patch("PersistentVolume", each["spec"]["volumeName"], None, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    world.lab.kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=90s")
    world.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    try:
        for each in claims:
            meta = each["metadata"]
            world.api.patch("PersistentVolume", each["spec"]["volumeName"], None, {"spec": {"claimRef": None}})
            notes = {key: value for key, value in meta.get("annotations", {}).items() if key.startswith("moldau.dev/")}
            world.api.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                             "metadata": {"name": meta["name"], "namespace": namespace, "labels": meta["labels"], "annotations": notes},
                             "spec": {key: each["spec"][key] for key in ("accessModes", "resources", "storageClassName", "volumeName")}})
        world.api.apply(cluster(namespace))
        world.await_cluster(namespace, "demo")
        world.topic(namespace, "demo", "saved", PARTITIONS)
        equal(world.api.get("Cluster", "demo", namespace)["status"]["clusterId"], identity, "the cluster's id")
        equal(world.api.get("Topic", "saved", namespace)["status"]["topicId"], topic_id, "the topic's id")
        text = world.run_client(namespace, "after", "read", "demo-bootstrap:9092", "saved", str(PARTITIONS))
        equal(json.loads(text)["records"], written, "records")
    finally:
        for each in claims:
            world.api.patch("PersistentVolume", each["spec"]["volumeName"], None, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    return f"{written} records"


def namespace_deleted(world, namespace):
    """A namespace with all that is in it, in Kubernetes' own order, with the operator and without it."""
    took = []
    for operators in (1, 0):
        inner = f"{namespace}-{operators}"
        with world.namespace(inner):
            world.api.apply(cluster(inner, controllers=1, brokers=1))
            world.await_cluster(inner, "demo")
            world.topic(inner, "demo", "held", 1, replication=1, deletionPolicy="Delete")
            world.lab.kubectl("scale", "-n", SYSTEM, "deployment/moldau", f"--replicas={operators}")
            until("so many operators", 60, lambda: len([pod for pod in world.api.list("Pod", SYSTEM) if ready(pod)]) == operators)
            began = time.monotonic()
            world.api.delete("Namespace", inner)
            if not operators:  # the Topic's finalizer waits for one
                time.sleep(15)
                world.lab.kubectl("scale", "-n", SYSTEM, "deployment/moldau", "--replicas=1")
            until("the namespace is gone", 90, lambda: world.api.get("Namespace", inner) is None, explain=lambda: world.told(inner))
            took.append(f"{time.monotonic() - began:.0f} s")
    return ", ".join(took)


def chart_goes_and_comes(world, namespace):
    """helm upgrade upgrades the definitions, helm uninstall keeps them, the clusters and their data."""
    made(world, namespace, controllers=1, brokers=1)
    before = uids(world, namespace)
    definition = world.api.path("CustomResourceDefinition", name="clusters.moldau.dev")
    old = world.api.request("GET", definition)
    policy = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["updatePolicy"]
    index = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/updatePolicy/properties/paused"
    check("paused" in policy["properties"], "spec.updatePolicy.paused")
    # As if the release before had not known that field.
    world.api.request("PATCH", definition, [{"op": "remove", "path": index}], "application/json-patch+json")
    world.lab.run("helm", "uninstall", "moldau", "-n", SYSTEM, "--wait")
    check(world.api.get("Cluster", "demo", namespace) is not None, "helm uninstall took the Cluster away")
    world.install()
    new = world.api.request("GET", definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    check("paused" in new["properties"]["updatePolicy"]["properties"], "helm did not upgrade the definition")
    until("the operator looks again", 60, lambda: is_ready(world.api.get("Cluster", "demo", namespace)))
    world.await_settled(namespace, "demo")
    equal(uids(world, namespace), before, "pods: an operator's update restarts nobody")


def wrong_in_turn(world, namespace):
    """Every field of a Cluster and of a Topic wrong in turn: refused by the API server, with the field's name."""
    count = 0
    for kind, base in (("Cluster", cluster(namespace, "wrong")),
                       ("Topic", {"apiVersion": "moldau.dev/v1", "kind": "Topic", "metadata": {"name": "wrong", "namespace": namespace},
                                  "spec": {"clusterRef": {"name": "demo"}}})):
        plural = kind.lower() + "s"
        crd = world.api.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.moldau.dev")
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for path, value in wrong_values(schema, ()):
            thing = json.loads(json.dumps(base))
            put(thing["spec"], path, value)
            try:
                world.api.request("POST", world.api.path(kind, namespace) + "?dryRun=All&fieldValidation=Strict", thing)
            except ApiError as error:
                named = [word for word in path if isinstance(word, str)][-1]
                check(error.status in (400, 422) and named in str(error), f"{kind} {path} = {value!r}: {error}")
                count += 1
            else:
                check(False, f"{kind} {path} = {value!r} was taken")
    return f"{count} wrong fields"


def put(into, path, value):
    for word, following in zip(path, path[1:]):
        if isinstance(into, list):
            while len(into) <= word:
                into.append({})
            into = into[word]
        else:
            into = into.setdefault(word, [] if isinstance(following, int) else {})
    if isinstance(into, list):
        into.append(value)
    else:
        into[path[-1]] = value


def wrong_values(schema, path):
    """(path, a value that its own schema does not allow), for every field that says what it allows."""
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string") or (kind is None and "anyOf" in schema):
        yield path, {"wrong": True}
    elif kind == "object" and "properties" in schema:
        if path:
            yield path, "wrong"
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield (*path, "unheardOf"), 1
        for name, inner in schema["properties"].items():
            yield from wrong_values(inner, (*path, name))
    elif kind == "array":
        yield path, "wrong"
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield from wrong_values(schema.get("items", {}), (*path, 0))
    elif kind == "integer":
        yield path, "wrong"
        if "minimum" in schema:
            yield path, schema["minimum"] - 1
        if "maximum" in schema:
            yield path, schema["maximum"] + 1
        if "enum" in schema:
            yield path, max(schema["enum"]) + 1
    elif kind == "string":
        yield path, 5
        if "pattern" in schema:
            yield path, " wrong!"
        if "enum" in schema:
            yield path, "wrong"
        if "maxLength" in schema and schema["maxLength"] < 5000:
            yield path, "w" * (schema["maxLength"] + 1)
    elif kind in ("boolean", "object"):
        yield path, "wrong"


LIFE = (("wrong", wrong_in_turn), ("changes", changes), ("cannot-grow", cannot_grow), ("racks", racks), ("outside", outside),
        ("machine-lost", machine_lost), ("restored", restored), ("namespace-deleted", namespace_deleted),
        ("chart", chart_goes_and_comes))
