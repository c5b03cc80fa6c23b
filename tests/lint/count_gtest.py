"""Adds up what GoogleTest programs said in JSON. A program that left no file has died: one failure.

usage: count_gtest.py RESULTS_FOLDER BUILD_FOLDER STATUS_OF_CTEST"""

import glob
import json
import os
import subprocess
import sys


def programs(build):
    """Names of the programs ctest runs under the label `unit`."""
    out = subprocess.run(["ctest", "--test-dir", build, "-L", "unit", "--show-only=json-v1"],
                         capture_output=True, text=True, check=True).stdout
    return sorted(test["name"] for test in json.loads(out)["tests"])


def main():
    results, build, status = sys.argv[1], sys.argv[2], int(sys.argv[3])
    passed = failed = skipped = 0
    seen = set()
    for path in sorted(glob.glob(os.path.join(results, "*.json"))):
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        seen.add(os.path.splitext(os.path.basename(path))[0])
        for suite in report["testsuites"]:
            for test in suite["testsuite"]:
                if "failures" in test:
                    failed += 1
                    print(f"FAIL  {test['classname']}.{test['name']}")
                elif test["result"] == "SKIPPED" or test["status"] == "NOTRUN":
                    skipped += 1
                else:
                    passed += 1
    for name in programs(build):
        if name not in seen:
            failed += 1
            print(f"FAIL  {name}: ended without a report")
    if status and not failed:
        failed += 1
        print(f"FAIL  ctest ended with {status}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
