"""The Kubernetes API as the tests speak it: JSON over HTTPS with a token, one connection per thread. Objects are
dictionaries; a path is found from apiVersion and kind. Errors raise ApiError with the server's own words."""

import http.client
import json
import re
import ssl
import threading
import time

PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "StorageClass": "storageclasses",
           "PriorityClass": "priorityclasses"}
EVERYWHERE = {"Namespace", "Node", "PersistentVolume", "StorageClass", "CustomResourceDefinition", "ClusterRole",
              "ClusterRoleBinding", "PriorityClass"}
KINDS = {"Pod": "v1", "PersistentVolumeClaim": "v1", "PersistentVolume": "v1", "Service": "v1", "ConfigMap": "v1",
         "Secret": "v1", "Namespace": "v1", "Node": "v1", "ServiceAccount": "v1", "Deployment": "apps/v1",
         "PodDisruptionBudget": "policy/v1", "Lease": "coordination.k8s.io/v1", "Event": "events.k8s.io/v1",
         "StorageClass": "storage.k8s.io/v1", "ClusterRole": "rbac.authorization.k8s.io/v1",
         "ClusterRoleBinding": "rbac.authorization.k8s.io/v1", "Cluster": "moldau.dev/v1", "Topic": "moldau.dev/v1",
         "CustomResourceDefinition": "apiextensions.k8s.io/v1"}


class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    def __init__(self, kubeconfig):
        with open(kubeconfig) as file:
            text = file.read()
        self.host, self.port = re.search(r'server: "https://([^:]+):(\d+)"', text).groups()
        self.token = re.search(r"token: (\w+)", text).group(1)
        self.context = ssl.create_default_context(cafile=re.search(r"certificate-authority: ([^}]+)}", text).group(1))
        self.context.check_hostname = False  # reached by 127.0.0.1; the authority is the lab's own
        self.local = threading.local()

    def request(self, method, path, body=None, media="application/json", timeout=60):
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": media, "Accept": "application/json, */*"}
        for attempt in range(3):
            connection = getattr(self.local, "connection", None)
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
                    self.local.connection = connection
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                break
            except (OSError, http.client.HTTPException):  # idle for too long, or the server went
                self.local.connection = None
                if attempt == 2:
                    raise
                time.sleep(0.2 * attempt)
        if answer.status >= 400:
            try:
                text = json.loads(text)["message"]
            except (ValueError, KeyError):
                pass
            raise ApiError(answer.status, text[:2000])
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text

    @staticmethod
    def path(kind, namespace=None, name=None, api_version=None):
        version = api_version or KINDS[kind]
        plural = PLURALS.get(kind) or kind.lower() + "s"
        parts = ["/api" if version == "v1" else "/apis", version]
        if namespace and kind not in EVERYWHERE:
            parts += ["namespaces", namespace]
        return "/".join(parts + [plural] + ([name] if name else []))

    def get(self, kind, name, namespace=None):
        """The object, or None."""
        try:
            return self.request("GET", self.path(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind, namespace=None, selector=""):
        return self.request("GET", self.path(kind, namespace) + "?labelSelector=" + selector.replace("=", "%3D"))["items"]

    def apply(self, thing, manager="tests"):
        """Server-side apply, as `kubectl apply --server-side --force-conflicts` does."""
        meta = thing["metadata"]
        path = self.path(thing["kind"], meta.get("namespace"), meta["name"], thing["apiVersion"])
        return self.request("PATCH", f"{path}?fieldManager={manager}&force=true", thing, "application/apply-patch+yaml")

    def patch(self, kind, name, namespace, change):
        return self.request("PATCH", self.path(kind, namespace, name), change, "application/merge-patch+json")

    def delete(self, kind, name, namespace=None, grace=None):
        """Begins it; gone is another question."""
        try:
            options = {} if grace is None else {"gracePeriodSeconds": grace}
            self.request("DELETE", self.path(kind, namespace, name), options)
        except ApiError as error:
            if error.status != 404:
                raise

    def log(self, namespace, pod, previous=False):
        try:
            return self.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log" + ("?previous=true" if previous else ""))
        except ApiError as error:
            return str(error)


def condition(thing, kind):
    """(status, reason, message) of a condition, or None."""
    for each in (thing or {}).get("status", {}).get("conditions", []):
        if each["type"] == kind:
            return each["status"], each.get("reason", ""), each.get("message", "")
    return None


def is_ready(thing):
    """Ready, and said of what is wanted now."""
    if thing is None:
        return False
    seen = thing.get("status", {}).get("observedGeneration", thing["metadata"].get("generation"))
    return (condition(thing, "Ready") or ("",))[0] == "True" and seen == thing["metadata"].get("generation")
