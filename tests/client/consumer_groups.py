"""Groups of the consumer protocol (KIP-848): members of several clients that join, leave, die and change their
protocol, and Kafka's tools."""

import os
import re
import signal
import subprocess
import time

import tools as kafka_tools
from harness import deps
from harness.suite import check, equal

PARTITIONS, RECORDS = 6, 600


class Member:
    """A process that is in a group until it is ended; what it prints goes to a file."""

    alive = []

    def __init__(self, command, log):
        self.log = log
        with open(log, "w") as out:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        Member.alive.append(self)

    def lines(self, word):
        with open(self.log) as file:
            return [line.split("\t")[-1].strip() for line in file if line.startswith(word)]

    def owned(self):
        return int((self.lines("assigned") or ["-1"])[-1])

    def end(self, how):
        Member.alive.remove(self)
        self.process.send_signal(how)
        self.process.wait(30)
        return self


def await_that(condition, what, within=60):
    end = time.monotonic() + within
    while not condition():
        check(time.monotonic() < end, f"not within {within} s: {what()}")
        time.sleep(0.2)


def await_owned(members, wanted):
    def owned():
        return sorted(member.owned() for member in members)

    await_that(lambda: owned() == sorted(wanted), lambda: f"partitions owned {owned()}, wanted {wanted}", 120)


def lag(tools, group):
    lines = tools.out("kafka-consumer-groups", "--describe", "--group", group).splitlines()
    rows = [line.split() for line in lines if line.startswith(group + " ")]
    return [row[5] for row in rows]


def fill(tools, topic, start):
    tools.fill(topic, [f"{i}:value {i}" for i in range(start, start + RECORDS)])


def described(tools, group, topic):
    state = tools.out("kafka-consumer-groups", "--describe", "--group", group, "--state", "--verbose")
    check(re.search(r"uniform\s+Stable", state) and "GROUP-EPOCH" in state, state)
    members = tools.out("kafka-consumer-groups", "--describe", "--group", group, "--members", "--verbose")
    check(members.count(topic + ":") >= 3 and "CURRENT-EPOCH" in members, members)
    listed = tools.out("kafka-consumer-groups", "--list", "--type", "consumer", "--state")
    check(re.search(rf"{group}\s+\S*[Cc]onsumer\s+Stable", listed), listed)


def run_consumer_groups(suite, node, install, folder):
    def java(topic, group, name, protocol="consumer"):
        return Member(["java", "-XX:TieredStopAtLevel=1", "-Xmx256M",
                       f"-Dlog4j2.configurationFile={deps.HERE}/kafka/log4j2.yaml", "-cp", deps.java(install),
                       "GroupMember", node.bootstrap, topic, group, protocol], os.path.join(folder, name))

    def confluent(topic, group, name, protocol="consumer"):
        return Member([deps.python(), os.path.join(deps.HERE, "py", "confluent_member.py"), node.bootstrap, topic, group,
                       protocol], os.path.join(folder, name))

    def with_members(test):
        def run():
            tools = kafka_tools.Tools(deps.kafka_lib(install), node.bootstrap, folder)
            try:
                test(tools)
            finally:
                for member in list(Member.alive):
                    member.end(signal.SIGKILL)
        return run

    def join_leave_die(tools):
        topic, group = "groups.mixed", "groups.mixed.group"
        tools.run("kafka-topics", "--create", "--topic", topic, "--partitions", PARTITIONS)
        tools.run("kafka-configs", "--alter", "--entity-type", "groups", "--entity-name", group, "--add-config",
                  "consumer.session.timeout.ms=6000,consumer.heartbeat.interval.ms=1000")
        fill(tools, topic, 0)
        first = java(topic, group, "java1")
        await_owned([first], [6])
        others = [confluent(topic, group, "confluent1"), java(topic, group, "java2")]
        await_owned([first, *others], [2, 2, 2])
        described(tools, group, topic)
        first.end(signal.SIGTERM)
        equal(first.lines("closed"), ["closed"], "the member that was asked to leave")
        await_owned(others, [3, 3])
        others[1].end(signal.SIGKILL)
        await_owned(others[:1], [6])
        node.restart()
        fill(tools, topic, RECORDS)
        await_that(lambda: lag(tools, group) == ["0"] * PARTITIONS, lambda: f"the lag is {lag(tools, group)}")
        equal(others[0].lines("fenced"), [], "commits refused")
        others[0].end(signal.SIGTERM)
        last = java(topic, group, "java3")
        await_owned([last], [6])
        time.sleep(1)
        equal(last.lines("read"), [], "what was committed is not read again")

    def expression(tools):
        topic, group = "groups.first", "groups.pattern"
        tools.run("kafka-topics", "--create", "--topic", topic, "--partitions", 2)
        member = java("^groups[.](first|second)", group, "pattern")
        await_owned([member], [2])
        tools.run("kafka-topics", "--create", "--topic", "groups.second", "--partitions", 3)
        await_owned([member], [5])

    def rolling_switch(tools):
        """Every client in turn, from the classic protocol to the consumer protocol and back, under records."""
        topic, group = "groups.switch", "groups.switch.group"
        tools.run("kafka-topics", "--create", "--topic", topic, "--partitions", PARTITIONS)
        fill(tools, topic, 0)
        everybody = []

        def start(client, protocol):
            everybody.append(client(topic, group, f"switch{len(everybody)}", protocol))
            return everybody[-1]

        def kind():
            return next((word for word in ("classic", "consumer")
                         if group in tools.out("kafka-consumer-groups", "--list", "--type", word)), "none")

        def await_all_read():
            await_that(lambda: lag(tools, group) == ["0"] * PARTITIONS, lambda: f"the lag is {lag(tools, group)}", 120)

        members = [start(java, "classic"), start(confluent, "classic")]
        await_owned(members, [3, 3])
        equal(kind(), "classic", "the group's kind with classic members only")
        for round_number, protocol in enumerate(("consumer", "classic"), 1):
            for index, client in enumerate((java, confluent)):
                members.append(start(client, protocol))
                await_owned(members, [2, 2, 2])
                equal(kind(), "consumer", "the group's kind with members of both protocols")
                fill(tools, topic, RECORDS * (2 * round_number + index))
                if round_number == 1:  # in the middle of the switch the coordinator starts anew
                    node.restart()
                await_all_read()
                members.pop(0).end(signal.SIGTERM)
                await_owned(members, [3, 3])
            equal(kind(), protocol, "the group's kind after the last member of the other protocol has left")
        await_all_read()
        # A member that is ended between its commit and the answer has read, and does not know that it has committed.
        polled = sum(int(count) for member in everybody for count in member.lines("polled"))
        check(polled >= 5 * RECORDS, f"{polled} of {5 * RECORDS} records were read")

    suite.run("consumer groups: a rolling switch of protocols, there and back", with_members(rolling_switch))
    suite.run("consumer groups: members join, leave, die and survive a restart", with_members(join_leave_die))
    suite.run("consumer groups: subscriptions by expression", with_members(expression))
