#!/usr/bin/env python3
"""The Helm chart and the plain manifests: what they render to, what they refuse, that they are the same.

usage: run.py [--helm PROGRAM] [--only WORD]      REWRITE=1 writes the goldens anew"""

import argparse
import difflib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "charts")]
import install_manifest  # noqa: E402
from harness.deps import Missing  # noqa: E402
from harness.suite import Suite, check, equal  # noqa: E402

CHART = os.path.join(ROOT, "charts/moldau")
CASES = ("default", "namespaced", "full", "bare")
# What the schema or a template must refuse, and a word of the reason.
REFUSED = (
    ({"replica": 2}, "replica"),
    ({"replicas": -1}, "replicas"),
    ({"replicas": "two"}, "replicas"),
    ({"image": {"repository": ""}}, "repository"),
    ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ({"image": {"name": "moldau"}}, "name"),
    ({"watchNamespaces": "payments"}, "watchNamespaces"),
    ({"watchNamespaces": ["Payments"]}, "watchNamespaces"),
    ({"watchNamespaces": ["a", "a"]}, "watchNamespaces"),
    ({"crds": {"keep": False}}, "keep"),
    ({"resources": {"memory": "1Gi"}}, "memory"),
    ({"resources": {"limits": {"memory": "lots"}}}, "memory"),
    ({"podLabels": {"team": 1}}, "podLabels"),
    ({"metrics": {"podMonitor": {"interval": "often"}}}, "interval"),
    ({"metrics": {"grafana": {}}}, "grafana"),
    ({"metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}}, "choose one"),
    ({"serviceAccount": {"name": "Not A Name"}}, "name"),
)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def find_helm(given):
    cache = os.environ.get("MOLDAU_KUBE_CACHE") or os.path.expanduser("~/.cache/kubelab")
    built = sorted(glob.glob(os.path.join(cache, "bin-*/helm")), key=os.path.getmtime)
    for each in (given, shutil.which("helm"), *built[-1:]):
        if each and os.access(each, os.X_OK):
            return each
    return None


class Chart:
    def __init__(self, program):
        self.program = program

    def helm(self, *words):
        if not self.program:
            raise Missing("helm is not here: ./dev kube build builds it")
        with tempfile.TemporaryDirectory(prefix="moldau-helm-") as home:
            env = {**os.environ, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home}
            if words[0] in ("template", "lint"):  # which have no server to ask
                words = (*words, "--kube-version", "1.34.0")
            return subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60, env=env)

    def render(self, *words):
        result = self.helm("template", "moldau", CHART, "--namespace", "moldau-system", *words)
        equal(result.returncode, 0, f"helm template {words}: {result.stderr[-2000:]}")
        return result.stdout

    def case(self, name):
        return self.render("-f", os.path.join(HERE, f"values/{name}.yaml"))


def documents(text):
    """{kind/name: text}"""
    out = {}
    for document in re.split(r"^---\n", text, flags=re.M):
        kind, name = (re.search(pattern, document, re.M) for pattern in (r"^kind: (\S+)$", r"^  name: (\S+)$"))
        if kind and name:
            out[f"{kind[1]}/{name[1]}"] = document
    return out


def lint(chart):
    for case in CASES:
        result = chart.helm("lint", "--strict", CHART, "-f", os.path.join(HERE, f"values/{case}.yaml"))
        equal(result.returncode, 0, f"helm lint of {case}: {result.stdout[-2000:]}{result.stderr[-2000:]}")


def shortened(text):
    """Without what has its own source: definitions, boards and rules are compared elsewhere."""
    kept = []
    for name, document in documents(text).items():
        if name.startswith("CustomResourceDefinition/"):
            document = f"# {name}: manifests/crds\n"
        elif "-dashboard-" in name:
            document = re.sub(r"(?s)(\.json: \|-\n).*", r"\1    # charts/moldau/dashboards\n", document)
        elif name.startswith("PrometheusRule/"):
            document = re.sub(r"(?s)\nspec:\n.*", "\nspec:  # charts/moldau/alerts\n", document)
        kept.append(document)
    return "---\n".join(kept)


def golden(chart, case):
    got, path = shortened(chart.case(case)), os.path.join(HERE, f"golden/{case}.yaml")
    if os.environ.get("REWRITE"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
    want = read(path)
    check(got == want, f"{case} renders to something else:\n" + "".join(
        difflib.unified_diff(want.splitlines(True), got.splitlines(True), "golden", "now")))


def refuse(chart):
    for values, word in REFUSED:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump(values, file)
            file.flush()
            result = chart.helm("template", "moldau", CHART, "-f", file.name)
        check(result.returncode != 0, f"{values} is let in")
        check(word in result.stderr, f"{values}: the refusal does not name it: {result.stderr[-600:]}")
    return f"{len(REFUSED)} wrong values"


def values_are_described():
    """Every value of values.yaml is in the schema and the other way round: nothing is switched by accident."""
    schema = json.loads(read(os.path.join(CHART, "values.schema.json")))
    keys = re.findall(r"^(\w+):", read(os.path.join(CHART, "values.yaml")), re.M)
    equal(sorted(keys), sorted(set(schema["properties"]) - {"global"}), "values")

    def closed(at, path):
        if at.get("type") == "object" and "properties" in at:
            check(at.get("additionalProperties") is False, f"the schema is open at {path}")
            for name, inner in at["properties"].items():
                closed(inner, f"{path}.{name}")
    closed(schema, "values")


def definitions_are_copies():
    """manifests/crds and the chart's copies; and they fit what `kubectl apply` can take."""
    ours = sorted(glob.glob(os.path.join(ROOT, "manifests/crds/*.yaml")))
    theirs = sorted(glob.glob(os.path.join(CHART, "files/crds/*.yaml")))
    equal([os.path.basename(p) for p in ours], [os.path.basename(p) for p in theirs], "definitions")
    check(ours, "there are none")
    for mine, copy in zip(ours, theirs):
        check(read(mine) == read(copy), f"{copy} is not {mine}: copy it")


def definitions_are_kept(chart):
    text = chart.case("default")
    found = {name: doc for name, doc in documents(text).items() if name.startswith("CustomResourceDefinition/")}
    equal(sorted(found), ["CustomResourceDefinition/clusters.moldau.dev", "CustomResourceDefinition/topics.moldau.dev"],
          "definitions rendered")
    for name, document in found.items():
        check("helm.sh/resource-policy: keep" in document, f"{name} would go with the release")
        check(len(document) < 150_000, f"{name} has {len(document)} bytes")
    check("CustomResourceDefinition" not in chart.case("bare"), "crds.enabled=false renders them")


def rights_are_least(chart):
    """No secrets, no wildcards, nothing executed in Pods; and in the namespaced mode nothing beyond the namespaces."""
    for case in CASES:
        for name, document in documents(chart.case(case)).items():
            if "Role/" not in name:
                continue
            for word in ('"*"', "'*'", "[*]", "secrets", "pods/exec", "pods/attach", "escalate", "impersonate", "bind,"):
                check(word not in document, f"{case}: {name} has {word}")
    namespaced = documents(chart.case("namespaced"))
    check(not any(name.startswith("ClusterRole") for name in namespaced), "a ClusterRole in the namespaced mode")


def pods_are_restricted(chart):
    deployment = documents(chart.case("default"))["Deployment/moldau"]
    for line in ("runAsNonRoot: true", "runAsUser: 10001", "seccompProfile: {type: RuntimeDefault}",
                 "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "capabilities: {drop: [ALL]}"):
        check(line in deployment, f"the operator's Pod lacks {line}")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        check(probe in deployment, f"no {probe}")


def boards_and_rules_arrive(chart):
    text = documents(chart.case("full"))
    for path in glob.glob(os.path.join(CHART, "dashboards/*.json")):
        name = os.path.basename(path)[:-5]
        document = text[f"ConfigMap/moldau-dashboard-{name}"]
        body = document.split(f"moldau-{name}.json: |-\n", 1)[1]
        equal(json.loads(body), json.loads(read(path)), f"dashboard {name} in its ConfigMap")
    alerts = re.findall(r"alert: (\w+)", read(os.path.join(CHART, "alerts/moldau.yaml")))
    equal(sorted(re.findall(r"alert: (\w+)", text["PrometheusRule/moldau"])), sorted(alerts), "alerts of the PrometheusRule")
    check("{{ $labels.pod }}" in text["PrometheusRule/moldau"], "Helm ate Prometheus' templates")


def install_is_current(chart):
    chart.helm("version")
    check(read(install_manifest.PATH) == install_manifest.text(chart.program),
          "manifests/install.yaml is not what the chart says: run charts/install_manifest.py")


def reference_is_current():
    try:
        import crd_reference
    except ImportError as error:
        raise Missing(f"{error} (package python3-yaml)") from error
    check(read(crd_reference.PATH) == crd_reference.text(),
          "docs/reference/crd.md is not what manifests/crds says: run charts/crd_reference.py")


def samples_are_named():
    """What NOTES and the documentation tell people to apply is there."""
    for path in (os.path.join(CHART, "templates/NOTES.txt"), os.path.join(ROOT, "docs/kubernetes.md"), os.path.join(ROOT, "README.md")):
        for named in re.findall(r"manifests/[\w./-]*\w", read(path)):
            check(os.path.exists(os.path.join(ROOT, named)), f"{os.path.relpath(path, ROOT)} names {named}, which is not there")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chart = Chart(find_helm(arguments.helm))
    suite = Suite(arguments.only or None, bool(os.environ.get("CI")), os.path.abspath("build/test-logs/chart"))
    tests = [("values and schema agree", values_are_described), ("definitions are copies", definitions_are_copies),
             ("the reference is current", reference_is_current), ("samples are there", samples_are_named), ("lint", lambda: lint(chart))]
    tests += [(f"golden {case}", lambda case=case: golden(chart, case)) for case in CASES]
    tests += [("wrong values are refused", lambda: refuse(chart)), ("definitions are kept", lambda: definitions_are_kept(chart)),
              ("rights are least", lambda: rights_are_least(chart)), ("pods are restricted", lambda: pods_are_restricted(chart)),
              ("dashboards and alerts arrive", lambda: boards_and_rules_arrive(chart)),
              ("install.yaml is current", lambda: install_is_current(chart))]
    for name, test in tests:
        suite.run(f"chart: {name}", test)
    print(suite.summary())
    sys.exit(suite.failed != 0 or suite.passed == 0)


if __name__ == "__main__":
    main()
