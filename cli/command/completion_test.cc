#include "cli/command/completion.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace cli {
namespace {

struct Tree {
  CLI::App root{"root", "moldau"};
  std::string text;
  int number = 0;
  bool flag = false;
  Tree() {
    CLI::App* topic = root.add_subcommand("topic", "Topics: all of them");
    CLI::App* create = topic->add_subcommand("create", "It's made");
    create->add_option("-z,--codec", text, "Codec")->check(CLI::IsMember({"none", "zstd"}));
    create->add_option("--count", number, "Count");
    create->add_flag("--force", flag, "Force");
    CLI::App* shell = root.add_subcommand("shell", "Shell");
    shell->add_option("NAME", text, "Name")->check(CLI::IsMember({"bash", "zsh"}));
    CLI::App* read = root.add_subcommand("read", "Read");
    read->add_option("TOPIC", text, "Topic");
    read->add_option("-g,--group", text, "Group")->type_name("GROUP");
    root.add_subcommand("secret", "")->group("");
  }
};

// What bash offers after the words, the last of which is being typed.
std::string completed(const std::string& script, const std::string& words) {
  std::string path = testing::TempDir() + "/moldau_completion_test.bash";
  std::ofstream(path) << "moldau() { echo \"one-$2 two-$2\"; }\n"
                      << script << "\nCOMP_WORDS=(" << words
                      << "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_moldau\n"
                         "echo \"${COMPREPLY[*]}\"\n";
  FILE* shell = popen(("bash " + path).c_str(), "r");
  std::string out;
  for (int c; (c = std::fgetc(shell)) != EOF;) out += static_cast<char>(c);
  EXPECT_EQ(pclose(shell), 0);
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

// Goal: bash offers the commands, options and values of the tree at the right places. Method: run
// the script in bash.
TEST(Completion, BashFollowsTheTree) {
  Tree tree;
  std::string script = bash_completion(tree.root);
  EXPECT_EQ(completed(script, "moldau ''"), "topic shell read --help");
  EXPECT_EQ(completed(script, "moldau to"), "topic");
  EXPECT_EQ(completed(script, "moldau topic ''"), "create --help");
  EXPECT_EQ(completed(script, "moldau topic create --c"), "--codec --count");
  EXPECT_EQ(completed(script, "moldau topic create -z ''"), "none zstd");
  EXPECT_EQ(completed(script, "moldau topic create --codec z"), "zstd");
  EXPECT_EQ(completed(script, "moldau topic create --count ''"), "");
  EXPECT_EQ(completed(script, "moldau topic create --force --c"), "--codec --count");
  EXPECT_EQ(completed(script, "moldau shell ''"), "--help bash zsh");
  EXPECT_EQ(completed(script, "moldau read o"), "one-topics");
  EXPECT_EQ(completed(script, "moldau read --group t"), "two-groups");
}

// Goal: the other shells get every command with its text, quoted for them, and nothing hidden.
// Method: look for the lines.
TEST(Completion, ZshAndFishHaveTheTexts) {
  Tree tree;
  std::string zsh = zsh_completion(tree.root);
  EXPECT_TRUE(zsh.contains("'topic:Topics\\: all of them'")) << zsh;
  EXPECT_TRUE(zsh.contains("'create:It'\\''s made'")) << zsh;
  EXPECT_TRUE(zsh.contains("compadd -- none zstd")) << zsh;
  std::string fish = fish_completion(tree.root);
  EXPECT_TRUE(fish.contains("-n '__moldau_at \"topic create\"' -s z -l codec -x -a 'none zstd'"))
      << fish;
  EXPECT_TRUE(fish.contains("-a create -d 'It'\\''s made'")) << fish;
  EXPECT_TRUE(fish.contains("-l group -x -a '(moldau complete-names groups 2>/dev/null)'")) << fish;
  for (const std::string& script : {zsh, fish, bash_completion(tree.root)}) {
    EXPECT_FALSE(script.contains("secret"));
  }
}

}  // namespace
}  // namespace cli
