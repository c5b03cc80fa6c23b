"""Runs every libFuzzer target of a build for a moment: enough to catch what a seed or the first mutations
reach. Each target is a test. Its seeds are in
tests/fuzz/corpus/TARGET, with or without the `fuzz_` it begins with.

usage: fuzz_smoke.py BUILD_FOLDER"""

import concurrent.futures
import os
import subprocess
import sys
import time

SECONDS_ALL = 90  # shared by all targets and cores
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(program, seconds, artifacts):
    name = os.path.basename(program)
    seeds = [os.path.join(ROOT, "tests/fuzz/corpus", n) for n in (name, name.removeprefix("fuzz_"))]
    work = os.path.join(artifacts, name)
    os.makedirs(work, exist_ok=True)
    # The first folder is where libFuzzer writes what it finds: never the seeds in the tree.
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=65536",
               "-print_final_stats=1", f"-artifact_prefix={work}/crash-", work]
    command += [folder for folder in dict.fromkeys(seeds) if os.path.isdir(folder)]
    began = time.monotonic()
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds * 4 + 120)
        ok, output = result.returncode == 0, result.stderr
    except subprocess.TimeoutExpired as error:
        ok, output = False, f"did not end in {error.timeout} s"
    runs = next((l.split()[-1] for l in output.splitlines() if "number_of_executed_units" in l), "?")
    return name, ok, f"{runs} runs in {time.monotonic() - began:.0f} s", output


def main():
    build = sys.argv[1]
    folder = os.path.join(build, "fuzz")
    programs = sorted(os.path.join(folder, p) for p in os.listdir(folder)
                      if os.access(os.path.join(folder, p), os.X_OK)) if os.path.isdir(folder) else []
    if not programs:
        print(f"no fuzz targets in {folder}")
        print("0 passed, 1 failed")
        sys.exit(1)
    cores = os.cpu_count() or 1
    seconds = max(3, SECONDS_ALL * cores // len(programs))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        for name, ok, what, output in pool.map(lambda p: run(p, seconds, os.path.join(build, "fuzz-work")), programs):
            print(f"{'ok   ' if ok else 'FAIL '} {name}: {what}")
            if ok:
                passed += 1
            else:
                failed += 1
                print("\n".join("      " + l for l in output.splitlines()[-60:]))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
