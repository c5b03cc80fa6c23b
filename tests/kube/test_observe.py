"""Prometheus beside the lab, with the scrape configuration of docs/kubernetes.md: every panel of every board, the
operator's too, and every metric of every alert, over a cluster under load in Kubernetes. And the operator's alerts, each
by what it is for. Pods are scraped through the API server: from outside there is no other way to them."""

import importlib.util
import os
import re
import sys
import tempfile

from world import ROOT, SYSTEM, ready, until
from harness.suite import check, equal
from test_short import cluster


def module(name, path):
    """A module of another folder of tests, by a name of its own."""
    sys.path[:0] = [os.path.dirname(path), os.path.join(ROOT, "charts"), os.path.join(ROOT, "tests/cluster")]
    spec = importlib.util.spec_from_file_location(name, path)
    out = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(out)
    return out


def discovered(world):
    """Of every port of every container: the labels that Prometheus' discovery of Pods gives it."""
    out = []
    for pod in world.api.list("Pod"):
        meta = pod["metadata"]
        labels = {"__meta_kubernetes_namespace": meta["namespace"], "__meta_kubernetes_pod_name": meta["name"]}
        for name, value in meta.get("labels", {}).items():
            labels["__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", name)] = value
        for port in [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]:
            out.append({**labels, "__meta_kubernetes_pod_container_port_number": str(port["containerPort"])})
    return out


def documented_job(world):
    """The scrape configuration that docs/kubernetes.md gives, led through the API server."""
    from crd_reference import yaml
    with open(os.path.join(ROOT, "docs/kubernetes.md"), encoding="utf-8") as file:
        text = re.search(r"^    scrape_configs:\n(?:     .*\n)+", file.read(), re.M).group(0)
    job = yaml.safe_load(text)["scrape_configs"][0]
    job["job_name"] = "documented"
    # Debian's Prometheus is built without Kubernetes' discovery: it is given what that would find.
    equal(job.pop("kubernetes_sd_configs"), [{"role": "pod"}], "how docs/kubernetes.md finds Pods")
    job["static_configs"] = [{"targets": ["found"], "labels": labels} for labels in discovered(world)]
    job.update(scheme="https", tls_config={"insecure_skip_verify": True}, authorization={"credentials": world.api.token})
    pod = ["__meta_kubernetes_namespace", "__meta_kubernetes_pod_name"]
    job["relabel_configs"] += [
        {"source_labels": pod, "regex": "(.+);(.+)", "target_label": "__metrics_path__",
         "replacement": "/api/v1/namespaces/$1/pods/$2:9644/proxy/metrics"},
        {"source_labels": pod, "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{world.lab.port}"}]
    return job


class Watched:
    def __init__(self, world, namespace, folder):
        self.world, self.namespace = world, namespace
        self.observe = module("moldau_observe", os.path.join(ROOT, "tests/observe/run.py"))
        job = documented_job(world)
        self.prometheus = self.observe.prometheus.Prometheus(folder, [self.observe.impatient(folder)], [], jobs=[job])

    def ask_all(self, questions, within=120):
        left = dict(questions)

        def ask():
            for what in [what for what, expression in left.items()
                         if any(value == value and abs(value) != float("inf") for _, value in self.prometheus.ask(expression))]:
                del left[what]
            return not left
        until("data", within, ask, every=2, explain=lambda: "\n".join(f"{what}: {left[what]}" for what in left))
        return len(questions)

    def panels(self, name):
        variables = {**self.observe.VARIABLES, "$cluster": "demo",
                     "$namespace": SYSTEM if name == "operator" else self.namespace}
        questions = {}
        for panel in self.observe.board(name)["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in variables.items():
                    expression = expression.replace(variable, value)
                questions[f"{name}: {panel['title']} {target['refId']}"] = expression
        return questions

    def alert_metrics(self):
        return {f"{name} {selector}": selector for name, expression in self.observe.rules()
                for selector in self.observe.SELECTOR.findall(expression) if selector not in self.observe.NOT_METRICS}

    def fires(self, *names):
        until(f"{names} fire", 90, lambda: set(names) <= self.prometheus.firing(), every=1,
              explain=lambda: f"firing: {self.prometheus.firing()}")


def boards(watched):
    """All four boards and all alerts' metrics."""
    count = watched.ask_all({what: question for name in watched.observe.dashboards.BOARDS
                             for what, question in watched.panels(name).items()})
    return count, watched.ask_all(watched.alert_metrics())


def make_ailing(world, namespace):
    """A Topic of no cluster; a Cluster whose Pods a quota forbids; an image that does not exist."""
    world.api.apply({"apiVersion": "moldau.dev/v1", "kind": "Topic", "metadata": {"name": "stray", "namespace": namespace},
                     "spec": {"clusterRef": {"name": "nobody"}}})
    world.api.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": namespace},
                     "spec": {"hard": {"pods": "0"}}})
    world.api.apply(cluster(namespace, "forbidden", controllers=1, brokers=1))


def observed(world, namespace):
    """Every board and alert over a cluster in Kubernetes under load; each of the operator's alerts fires."""
    world.api.apply(cluster(namespace, config={"moldau.metrics.kafka.names": True}))
    world.await_cluster(namespace, "demo")
    start = ("import os, runpy, sys; os.dup2(os.pipe()[0], 0); "  # whose end never comes
             "sys.argv = ['load', 'demo-bootstrap:9092']; runpy.run_path('/opt/client/load.py', run_name='__main__')")
    world.client_pod(namespace, "load", "-c", start, command=["python3"])
    until("the load", 60, lambda: "under load" in world.api.log(namespace, "load"), explain=lambda: world.told(namespace))
    with tempfile.TemporaryDirectory(prefix="moldau-kube-observe-") as folder:
        watched = Watched(world, namespace, folder)
        try:
            watched.prometheus.start()
            queries, metrics = boards(watched)
            wrong = watched.prometheus.firing() & {name for name, text in watched.observe.rules() if "moldau_operator" in text}
            check(not wrong, f"in health fire {wrong}")
            with world.namespace(namespace + "-ailing") as ailing:
                make_ailing(world, ailing)
                watched.fires("MoldauResourceNotReady", "MoldauReconcileFailing")
            world.api.patch("Cluster", "demo", namespace, {"spec": {"image": "localhost/moldau:nothing"}})
            watched.fires("MoldauResourceDegraded", "MoldauUpgradeBlocked")
            world.lab.kubectl("scale", "-n", SYSTEM, "deployment/moldau", "--replicas=0")
            try:
                watched.fires("MoldauOperatorDown")
            finally:
                world.lab.kubectl("scale", "-n", SYSTEM, "deployment/moldau", "--replicas=1")
                until("an operator", 60, lambda: any(map(ready, world.api.list("Pod", SYSTEM))))
        finally:
            watched.prometheus.stop()
    return f"{queries} queries of panels and {metrics} metrics of alerts have data; 5 of the operator's alerts fired"


OBSERVE = (("observed", observed),)
