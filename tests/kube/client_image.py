"""The image of the clients that run in pods: Python with librdkafka (confluent-kafka), kcat, and pod_client.py."""

import glob
import os
import sys
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/client"), os.path.join(ROOT, "operator/image")]
from harness import deps  # noqa: E402
import oci  # noqa: E402
import programs  # noqa: E402

NAME = "localhost/moldau-test-client:1"
NOT_NEEDED = {"test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "distutils", "__pycache__",
              "pydoc_data", "site-packages", "dist-packages"}


def add_folder(tree, source, target):
    for folder, folders, files in os.walk(source):
        folders[:] = [each for each in folders if each not in NOT_NEEDED and not each.startswith("config-")]
        for each in files:
            path = os.path.join(folder, each)
            if os.path.exists(path):
                tree.file(os.path.join(target, os.path.relpath(path, source)), path)


def build(out):
    python = os.path.realpath(sys.executable)
    standard = sysconfig.get_path("stdlib")
    venv = os.path.dirname(os.path.dirname(deps.python()))
    kafka = glob.glob(os.path.join(venv, "lib/python*/site-packages"))[0]
    extensions = glob.glob(os.path.join(standard, "lib-dynload/*.so")) + glob.glob(kafka + "/confluent_kafka/*.so")
    bundled = glob.glob(kafka + "/confluent_kafka.libs/*")
    system, client = oci.Tree(), oci.Tree()
    programs.add_system(system, [python, "/usr/bin/kcat", *extensions])
    system.file("usr/bin/python3", python)
    system.file("usr/bin/kcat", "/usr/bin/kcat")
    add_folder(system, standard, "usr/lib/" + os.path.basename(standard))
    client.file("opt/client/pod_client.py", os.path.join(HERE, "pod_client.py"))
    client.file("opt/client/load.py", os.path.join(ROOT, "tests/observe/load.py"))
    add_folder(client, kafka + "/confluent_kafka", "opt/client/confluent_kafka")
    for path in bundled:
        client.file("opt/client/confluent_kafka.libs/" + os.path.basename(path), path)
    return oci.write_archive(out, NAME, [system, client], {
        "User": "10002:10002", "WorkingDir": "/", "Entrypoint": ["python3", "/opt/client/pod_client.py"], "Cmd": ["sleep"],
        "Env": ["PATH=/usr/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHOME=/usr", "PYTHONPATH=/opt/client"]})


if __name__ == "__main__":
    print(build(sys.argv[1]))
