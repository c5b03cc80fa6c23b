#!/usr/bin/env python3
"""Writes manifests/install.yaml, the chart with its defaults for those who do without Helm. tests/chart says when it is
not current.

usage: install_manifest.py HELM"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PATH = os.path.join(ROOT, "manifests/install.yaml")
NAMESPACE = "moldau-system"
HEAD = f"""# The operator, made from charts/moldau by charts/install_manifest.py: do not edit. Apply the definitions first:
#   kubectl apply -f manifests/crds && kubectl apply -f manifests/install.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def text(helm):
    result = subprocess.run(
        [helm, "template", "moldau", os.path.join(HERE, "moldau"), "--namespace", NAMESPACE, "--set", "crds.enabled=false",
         "--kube-version", "1.34.0"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    # Nobody here is Helm.
    lines = [line for line in result.stdout.splitlines()
             if not line.lstrip().startswith(("helm.sh/chart:", "# Source:", "app.kubernetes.io/managed-by: Helm"))]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(text(sys.argv[1]))
