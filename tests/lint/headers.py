"""Every header compiles alone. A header that its own .cc (or _test.cc) includes first is proven by the
build; only the others are compiled here, each as a file of one line, through ccache where there is one."""

import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import tempfile

FIRST_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def proven_by_build(root, header, files):
    stem = header.removesuffix(".h")
    for source in (stem + ".cc", stem + "_test.cc"):
        if source in files:
            with open(os.path.join(root, source), encoding="utf-8") as file:
                match = FIRST_INCLUDE.search(file.read())
            if match and match.group(1) == header:
                return True
    return False


def generated_folder(root):
    """The build folder whose generated headers are the newest: those of another preset may be of an older tree."""
    newest = {}
    for folder in glob.glob(os.path.join(root, "build/*/gen")):
        times = [os.path.getmtime(h) for h in glob.glob(os.path.join(folder, "**/*.h"), recursive=True)]
        if times:
            newest[folder] = max(times)
    return max(newest, key=newest.get) if newest else None


def compile_alone(root, gen, folder, header):
    source = os.path.join(folder, header.replace("/", "__") + ".cc")
    with open(source, "w", encoding="utf-8") as file:
        file.write(f'#include "{header}"\n')
    command = ["clang++-19", "-std=c++23", "-O0", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
               "-Wno-unused-const-variable", "-Wno-missing-field-initializers", "-I", root, "-c", source, "-o", source + ".o"]
    if gen:
        command[1:1] = ["-I", gen]
    if shutil.which("ccache"):
        command.insert(0, "ccache")
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if result.returncode == 0:
        return []
    first = next((l for l in result.stderr.splitlines() if "error:" in l), result.stderr.strip()[:200])
    return [f"{header}: {first}"]


def check(root, files):
    name = "headers: each compiles alone"
    if not shutil.which("clang++-19"):
        yield name, None
        return
    known = set(files)
    headers = [f for f in files if f.endswith(".h") and "testdata/" not in f and not proven_by_build(root, f, known)]
    gen = generated_folder(root)
    if gen is None and not os.environ.get("CI"):
        yield name, None  # what is generated is not there yet: nothing was built
        return
    with tempfile.TemporaryDirectory(prefix="moldau-headers-") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda h: compile_alone(root, gen, folder, h), headers)
        yield name, [problem for problems in results for problem in problems]
