"""The lint's own tests: every rule lets the right thing pass and catches the wrong one."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headers  # noqa: E402
import layers  # noqa: E402
import tidy  # noqa: E402
from functions import functions  # noqa: E402

ALLOW = [layers.Layer("common/base", "core", [], ["isa-l"]), layers.Layer("common/io", "seam", ["common/base"], []),
         layers.Layer("common/host", "shell", ["common/io"], ["*"]),
         layers.Layer("*_test.cc", "tests", ["common/host"], ["gtest"])]


class Layers(unittest.TestCase):
    def wrong(self, path, text):
        return len(layers.check_file(path, text, ALLOW))

    def test_folders(self):
        self.assertEqual(self.wrong("common/io/a.h", '#include "common/base/b.h"'), 0)
        self.assertEqual(self.wrong("common/base/a.h", '#include "common/base/b.h"'), 0)
        self.assertEqual(self.wrong("common/base/a.h", '#include "common/io/b.h"'), 1)
        self.assertEqual(self.wrong("common/io/a.h", '#include "b.h"'), 1)
        self.assertEqual(self.wrong("elsewhere/a.h", ""), 1)

    def test_third_party(self):
        self.assertEqual(self.wrong("common/base/a.h", "#include <vector>\n#include <isa-l/crc.h>"), 0)
        self.assertEqual(self.wrong("common/io/a.h", "#include <isa-l/crc.h>"), 1)
        self.assertEqual(self.wrong("common/io/a.h", "#include <unistd.h>"), 1)
        self.assertEqual(self.wrong("common/host/a.h", "#include <unistd.h>\n#include <asio.hpp>"), 0)
        self.assertEqual(self.wrong("common/io/a_test.cc", '#include <gtest/gtest.h>\n#include "common/host/x.h"'), 0)

    def test_cycle(self):
        self.assertIsNone(layers.find_cycle(ALLOW))
        self.assertIsNotNone(layers.find_cycle([layers.Layer("a", "core", ["b"], []), layers.Layer("b", "core", ["a"], [])]))


class Functions(unittest.TestCase):
    def test_lengths(self):
        text = """// a { comment
namespace n {
struct S : T {
  int f() const { return 1; }
  S(int a)
      : a_(a) {
    if (a) {
      g("{");
    }
  }
  std::vector<int> v = {1, 2};
};
template <class T>
void long_one(T t) {
  auto l = [&] {
    return t;
  };
  for (;;) {
  }
}
}
"""
        found = {name: length for name, _, length in functions(text)}
        self.assertEqual(found, {"f": 1, "S": 6, "long_one": 8})


class Tidy(unittest.TestCase):
    def tree(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder.name, path)) or folder.name, exist_ok=True)
            with open(os.path.join(folder.name, path), "w") as file:
                file.write(text)
        return folder.name, sorted(files)

    def test_world(self):
        bad = "std::thread t;\nauto n = std::chrono::steady_clock::now();\nstd::this_thread::sleep_for(s);\nstd::random_device r;\n"
        self.assertEqual(len(tidy.check_world(*self.tree({"broker/node/a.cc": bad}))), 4)
        self.assertEqual(len(tidy.check_world(*self.tree({"common/host/a.cc": bad}))), 0)
        self.assertEqual(len(tidy.check_world(*self.tree({"broker/node/a.cc": "// std::thread\nnow(); clock.now();"}))), 0)
        self.assertEqual(len(tidy.check_world(*self.tree({"broker/group/a.cc": "std::mutex m;"}))), 1)

    def test_ratchet(self):
        long_file = "int x;\n" * (tidy.FILE_LINES + 1)
        listed = f"file a.cc {tidy.FILE_LINES + 1}\n"
        self.assertEqual(len(tidy.check_ratchet(*self.tree({"a.cc": long_file}))), 1)
        self.assertEqual(len(tidy.check_ratchet(*self.tree({"a.cc": long_file, tidy.RATCHET: listed}))), 0)
        self.assertEqual(len(tidy.check_ratchet(*self.tree({"a.cc": long_file + "int y;\n", tidy.RATCHET: listed}))), 1)
        self.assertEqual(len(tidy.check_stale_ratchet(*self.tree({"a.cc": "int x;\n", tidy.RATCHET: listed}))), 1)

    def test_built(self):
        files = {"a/CMakeLists.txt": "moldau_test(a_test SOURCES one_test.cc)", "a/one_test.cc": "", "a/two_test.cc": ""}
        self.assertEqual(len(tidy.check_built(*self.tree(files))), 1)

    def test_architecture(self):
        files = {"a/b/c.cc": "", "docs/architecture.md": "`a/b` and `a/b/c.cc`"}
        self.assertEqual(len(tidy.check_architecture(*self.tree(files))), 0)
        files["docs/architecture.md"] = "`a/b/gone.cc`"
        self.assertEqual(len(tidy.check_architecture(*self.tree(files))), 1)
        files["docs/architecture.md"] = "nothing"
        self.assertEqual(len(tidy.check_architecture(*self.tree(files))), 1)

    def test_words(self):
        self.assertEqual(len(tidy.check_words(*self.tree({"a.cc": "// TO" + "DO: later"}))), 1)
        self.assertEqual(len(tidy.check_words(*self.tree({"a.cc": "// TO" + "DO(#12): later"}))), 0)
        self.assertEqual(len(tidy.check_words(*self.tree({"a.md": "see ../" + "shared/x"}))), 1)

    def test_headers(self):
        self.assertEqual(len(tidy.check_headers_speak(*self.tree({"a.h": "#pragma once"}))), 1)
        self.assertEqual(len(tidy.check_headers_speak(*self.tree({"a.h": "// What.\n#pragma once"}))), 0)
        root, files = self.tree({"a.h": "", "a.cc": '#include "a.h"\n', "b.h": "", "b.cc": '#include "a.h"\n'})
        self.assertTrue(headers.proven_by_build(root, "a.h", files))
        self.assertFalse(headers.proven_by_build(root, "b.h", files))

    def test_one_definition(self):
        files = {"a/x.h": "namespace sim {\nclass Cluster {\n};\n}  // namespace sim\n",
                 "b/y.h": "namespace sim {\nstruct Cluster final : Base {\n};\n}  // namespace sim\n",
                 "c/z.h": "namespace other {\nclass Cluster {\n};\n}  // namespace other\n"}
        self.assertEqual(len(tidy.check_one_definition(*self.tree(files))), 1)

    def test_names(self):
        files = {"a/utils.h": "", "a/string_utils.cc": "", "a/CamelCase.cc": "", "a/publisher.h": ""}
        self.assertEqual(len(tidy.check_names(*self.tree(files))), 3)


if __name__ == "__main__":
    unittest.main()
