"""What the tests of a real Kubernetes share: one lab, the operator in it, and what a test needs to look at a cluster of
Moldau from outside and from within a pod. Each test has a namespace of its own, where nothing but `restricted` pods may
run."""

import contextlib
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/client")]
from api import Api, ApiError, condition, is_ready  # noqa: E402
from harness.suite import Failed, check, equal  # noqa: E402
import client_image  # noqa: E402

SYSTEM = "moldau-system"
IMAGE, NEXT = "localhost/moldau:dev", "localhost/moldau:next"


def until(what, within, question, every=0.25, explain=None):
    """Asks until the answer is true and returns it. Errors of the API server count as no."""
    began, last = time.monotonic(), ""
    while True:
        try:
            if answer := question():
                return answer
        except (ApiError, OSError, RuntimeError) as error:
            last = f" ({error})"
        if time.monotonic() - began > within:
            raise Failed(f"{what}: not within {within} s{last}{' - ' + explain() if explain else ''}")
        time.sleep(every)


def namespace_object(name):
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


class World:
    def __init__(self, lab):
        self.lab = lab
        self.api = None

    def start(self, images):
        self.lab.up(images)
        self.api = Api(self.lab.kubeconfig)

    def install(self):
        """The operator, by the chart with its defaults, in a namespace that takes only `restricted` pods. A lab that was
        there before (--dir) may have it."""
        self.api.apply(namespace_object(SYSTEM))
        self.lab.run("helm", "upgrade", "--install", "moldau", os.path.join(ROOT, "charts/moldau"), "-n", SYSTEM, "--set", "image.tag=dev")
        until("the operator is ready", 60, self.operator_ready, explain=lambda: self.told(SYSTEM))

    def operator_ready(self):
        pods = self.api.list("Pod", SYSTEM)
        return pods and any(ready(pod) for pod in pods)

    @contextlib.contextmanager
    def namespace(self, name):
        """A namespace that refuses every pod that is not `restricted`; deleted at the end."""
        self.api.apply(namespace_object(name))
        try:
            yield name
        finally:
            self.api.delete("Namespace", name)

    def operator_node(self):
        """Where the operator runs that leads, as far as can be told: the first that is ready."""
        return next((pod["spec"]["nodeName"] for pod in self.api.list("Pod", SYSTEM) if ready(pod)), None)

    def operator_metric(self, name):
        """The sum over a metric's labels, of all operators there are."""
        total = 0.0
        for pod in filter(ready, self.api.list("Pod", SYSTEM)):
            text = self.api.request("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}:9644/proxy/metrics")
            total += sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)
        return total

    def operator_log(self, lines):
        parts = []
        for pod in self.api.list("Pod", SYSTEM):
            text = self.api.log(SYSTEM, pod["metadata"]["name"])
            parts.append("\n".join(text.splitlines()[-lines:]))
        return "\n".join(parts)

    def told(self, namespace):
        """A namespace in a few lines, for a report of what went wrong."""
        lines = []
        with contextlib.suppress(ApiError, OSError):
            for kind in ("Cluster", "Topic"):
                with contextlib.suppress(ApiError):
                    for each in self.api.list(kind, namespace)[:5]:
                        told = [f"{c['type']}={c['status']} {c.get('reason', '')}: {c.get('message', '')}"
                                for c in each.get("status", {}).get("conditions", [])]
                        lines.append(f"{kind} {each['metadata']['name']}: " + "; ".join(told))
            for pod in self.api.list("Pod", namespace):
                name = pod["metadata"]["name"]
                lines.append(f"Pod {name} on {pod['spec'].get('nodeName')}: {pod['status'].get('phase')}"
                             f"{'' if ready(pod) else ' not ready ' + waits_for(pod)}")
                if not ready(pod) and pod["status"].get("phase") != "Pending":
                    lines += ["    " + line for line in self.api.log(namespace, name).splitlines()[-8:]]
            for event in self.api.list("Event", namespace)[-15:]:
                lines.append(f"Event {event.get('reason')} {event['regarding'].get('name')}: {event.get('note', '')[:200]}")
        return "\n".join(lines)

    # ---- clusters of Moldau

    def pods(self, namespace, cluster, component=None):
        selector = f"moldau.dev/cluster={cluster}"
        found = self.api.list("Pod", namespace, selector)
        return [pod for pod in found
                if component in (None, pod["metadata"]["labels"].get("app.kubernetes.io/component"))]

    def await_cluster(self, namespace, name, within=120):
        """Until it is Ready. Returns the seconds it took."""
        began = time.monotonic()
        until(f"Cluster {name} is Ready", within, lambda: is_ready(self.api.get("Cluster", name, namespace)),
              explain=lambda: self.told(namespace))
        return time.monotonic() - began

    def await_settled(self, namespace, name, within=240):
        """Until it is Ready, and nothing is under way."""
        def settled():
            cluster = self.api.get("Cluster", name, namespace)
            return is_ready(cluster) and (condition(cluster, "Progressing") or ("",))[0] == "False"
        until(f"Cluster {name} is settled", within, settled, explain=lambda: self.told(namespace))

    def topic(self, namespace, cluster, name, partitions=3, replication=3, **spec):
        self.api.apply({"apiVersion": "moldau.dev/v1", "kind": "Topic", "metadata": {"name": name, "namespace": namespace},
                        "spec": {"clusterRef": {"name": cluster}, "partitions": partitions,
                                 "replicationFactor": replication, **spec}})
        until(f"Topic {name} is Ready", 60, lambda: is_ready(self.api.get("Topic", name, namespace)),
              explain=lambda: self.told(namespace))

    def client_pod(self, namespace, name, *arguments, node=None, image=client_image.NAME, command=None):
        """A restricted pod that runs a client once."""
        container = {"name": "client", "image": image, "args": list(arguments), "imagePullPolicy": "IfNotPresent",
                     "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                         "capabilities": {"drop": ["ALL"]}},
                     "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}
        if command:
            container["command"] = command
        self.api.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
            **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10002, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}})

    def run_client(self, namespace, name, *arguments, within=60, **options):
        """Runs a client to its end. Returns what it printed."""
        self.client_pod(namespace, name, *arguments, **options)
        phase = until(f"pod {name} ends", within, lambda: self.phase_if_ended(namespace, name),
                      explain=lambda: self.told(namespace))
        text = self.api.log(namespace, name)
        equal(phase, "Succeeded", f"pod {name}: {text[-1500:]}")
        self.api.delete("Pod", name, namespace, grace=0)
        return text

    def phase_if_ended(self, namespace, name):
        phase = (self.api.get("Pod", name, namespace) or {}).get("status", {}).get("phase")
        return phase if phase in ("Succeeded", "Failed") else None


class Load:
    """The producer and the group of pod_client.py in a pod, while something happens to the cluster."""

    def __init__(self, world, namespace, cluster, topic, partitions, node=None):
        self.world, self.namespace = world, namespace
        self.name = "load-" + topic
        world.client_pod(namespace, self.name, "work", f"{cluster}-bootstrap.{namespace}:9092", topic, str(partitions), node=node)
        until("the first record is acknowledged", 60, lambda: "began" in world.api.log(namespace, self.name),
              explain=lambda: world.told(namespace))

    def end(self):
        """What the checker says; fails when a record failed, was lost, doubled, disordered or not given to the group."""
        self.world.lab.kubectl("exec", "-n", self.namespace, self.name, "--", "python3", "-c", "open('/tmp/stop', 'w')")
        until("the load has ended", 150, lambda: self.world.phase_if_ended(self.namespace, self.name))
        text = self.world.api.log(self.namespace, self.name)
        try:
            result = json.loads(text.splitlines()[-1])
        except (ValueError, IndexError):
            raise Failed(f"the load broke:\n{text[-3000:]}") from None
        self.world.api.delete("Pod", self.name, self.namespace, grace=0)
        wrong = {key: result[key] for key in ("failed", "lost", "doubled", "disordered", "group_missing") if result[key]}
        check(not wrong and result["acked"] > 0, f"the load: {result}")
        return result


class Watcher(threading.Thread):
    """Counts the brokers and controllers of a cluster that are not ready, four times a second: the most at once."""

    def __init__(self, world, namespace, cluster):
        super().__init__(daemon=True)
        self.world, self.namespace, self.cluster = world, namespace, cluster
        self.over = threading.Event()
        self.worst = {"broker": 0, "controller": 0}
        self.wanted = {kind: len(world.pods(namespace, cluster, kind)) for kind in self.worst}
        self.start()

    def run(self):
        while not self.over.wait(0.25):
            with contextlib.suppress(ApiError, OSError):
                for kind in self.worst:
                    up = sum(ready(pod) for pod in self.world.pods(self.namespace, self.cluster, kind))
                    self.worst[kind] = max(self.worst[kind], self.wanted[kind] - up)

    def end(self):
        self.over.set()
        self.join()
        return self.worst


def ready(pod):
    return (condition(pod, "Ready") or ("",))[0] == "True" and "deletionTimestamp" not in pod["metadata"]


def waits_for(pod):
    for status in pod["status"].get("containerStatuses", []):
        for state in status.get("state", {}).values():
            if "reason" in state:
                return f"{state['reason']} {state.get('message', '')[:200]}"
    return next((c.get("message", "") for c in pod["status"].get("conditions", []) if c["status"] != "True"), "")
