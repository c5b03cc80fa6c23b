"""All lint checks. Each check is a test: prints its name, then what is wrong, and counts as passed or failed.

usage: run.py [WORD]    only the checks whose name contains WORD"""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headers  # noqa: E402
import layers  # noqa: E402
import tidy  # noqa: E402
from tree import ROOT, tracked  # noqa: E402

SHOWN = 30


def check_format(root, files):
    name = "format: clang-format agrees"
    if not shutil.which("clang-format-19"):
        yield name, None
        return
    code = [f for f in files if f.endswith((".h", ".cc", ".c"))]
    problems = []
    for start in range(0, len(code), 200):
        result = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *code[start:start + 200]],
                                cwd=root, capture_output=True, text=True)
        wrong = {line.split(":")[0] for line in result.stderr.splitlines() if "error:" in line}
        problems += [f"{path}: run ./dev fmt" for path in sorted(wrong)]
        if result.returncode and not wrong:
            problems.append(result.stderr.strip()[:500])
    yield name, problems


def check_scripts(root, files):
    problems = []
    for path in files:
        if path.endswith(".py"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = file.read()
            try:
                compile(text, path, "exec")
            except SyntaxError as error:
                problems.append(f"{path}: {error}")
        elif path.endswith(".sh") or path in ("dev", ".ci/run", "tests/sim/run", "tests/bench/run"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                if "bash" not in file.readline():
                    continue
            result = subprocess.run(["bash", "-n", path], cwd=root, capture_output=True, text=True)
            if result.returncode:
                problems.append(result.stderr.strip())
    yield "scripts: Python and bash parse", problems


def check_self(root, files):
    result = subprocess.run([sys.executable, os.path.join(root, "tests/lint/lint_test.py")], capture_output=True, text=True)
    yield "lint: its rules catch what they should", result.stderr.splitlines() if result.returncode else []


def main():
    files, word = tracked(), sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = skipped = 0
    kinds = {"lint": check_self, "layers": layers.check, "tidy": tidy.check, "format": check_format,
             "scripts": check_scripts, "headers": headers.check}  # the last one compiles: minutes
    for kind, check in kinds.items():
        if word in kinds and word != kind:
            continue
        for name, problems in check(ROOT, files):
            if word not in name:
                continue
            if problems is None:
                skipped += 1
                print(f"skip  {name}")
            elif problems:
                failed += 1
                print(f"FAIL  {name}")
                for problem in problems[:SHOWN]:
                    print(f"      {problem}")
                if len(problems) > SHOWN:
                    print(f"      ... and {len(problems) - SHOWN} more")
            else:
                passed += 1
                print(f"ok    {name}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
