"""Runs fixed seeds of every workload of the simulator, each seed twice: equal digests are part of the test.
Each workload is a test. Then the programs with seeded defects beside SIM: each must find all of its own.

usage: sim_seeds.py SIM [SEEDS]"""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

SEEDS = 100
SECONDS_MAX = 600


def run(sim, workload, seeds):
    began = time.monotonic()
    try:
        result = subprocess.run([sim, "--workload", workload, "--seed", "1", "--seeds", str(seeds), "--twice"],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                timeout=SECONDS_MAX)
        ok, said = result.returncode == 0, (result.stdout + result.stderr).strip()
    except subprocess.TimeoutExpired:
        ok, said = False, f"not through {seeds} seeds in {SECONDS_MAX} s"
    return workload, ok, said, time.monotonic() - began


def find_defects(program):
    """A program `*_mutants` ends with 0 when every seeded defect was found."""
    began = time.monotonic()
    try:
        result = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                timeout=SECONDS_MAX)
        ok, said = result.returncode == 0, (result.stdout + result.stderr).strip()
    except subprocess.TimeoutExpired:
        ok, said = False, f"not through in {SECONDS_MAX} s"
    return ok, said, time.monotonic() - began


def main():
    sim = sys.argv[1]
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS
    usage = subprocess.run([sim, "--help"], capture_output=True, text=True).stderr
    workloads = re.search(r"workloads:(.*)", usage).group(1).split()
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for workload, ok, said, seconds in pool.map(lambda w: run(sim, w, seeds), workloads):
            print(f"{'ok   ' if ok else 'FAIL '} sim {workload} ({seconds:.1f} s)  {said.splitlines()[-1] if said else ''}")
            passed += ok
            failed += not ok
            if not ok:
                print("\n".join("      " + line for line in said.splitlines()[-30:]))
    for program in sorted(glob.glob(os.path.join(os.path.dirname(sim), "*_mutants"))):
        ok, said, seconds = find_defects(program)
        print(f"{'ok   ' if ok else 'FAIL '} seeded defects: {os.path.basename(program)} ({seconds:.1f} s)")
        passed += ok
        failed += not ok
        if not ok:
            print("\n".join("      " + line for line in said.splitlines()[-40:]))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0 or passed == 0)


if __name__ == "__main__":
    main()
