"""What the Grafana dashboards show: charts/dashboards.py makes the JSON of it. A board is a list of rows, a row a
title and panels; an expression has $S for the labels of the chosen cluster and $I for the rate's interval."""

NODE = "{{pod}}"


def graph(title, unit, *queries, about="", width=8, stack=False, least=None):
    """Lines over time. `queries`: (expression, legend)."""
    return {"kind": "timeseries", "title": title, "unit": unit, "queries": queries, "about": about, "width": width,
            "height": 8, "stack": stack, "least": least}


def number(title, unit, query, about="", bad_from=None, good_from=None, width=3):
    """One figure. Red from `bad_from` on, or green from `good_from` on."""
    return {"kind": "stat", "title": title, "unit": unit, "queries": [(query, "")], "about": about, "width": width,
            "height": 4, "bad_from": bad_from, "good_from": good_from}


def table(title, unit, query, columns, about="", width=24):
    """The series of now, one a line."""
    return {"kind": "table", "title": title, "unit": unit, "queries": [(query, "")], "columns": columns, "about": about,
            "width": width, "height": 9}


def quantile(q, metric, by):
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({metric}_bucket{{$S}}[$I])))"


def rate(metric, by="pod", labels="$S"):
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$I]))"


def ailing(state):
    return f'max(moldau_cluster_partitions_ailing{{$S,state="{state}"}})'


CLUSTER = [
    ("Health", [
        number("Brokers live", "short", 'max(moldau_cluster_brokers{$S,state="live"})',
               "Registered and heartbeating, as the leading controller sees it.", good_from=1),
        number("Brokers fenced", "short", 'max(moldau_cluster_brokers{$S,state="fenced"})',
               "Registered, but no heartbeat comes.", bad_from=1),
        number("Controllers up", "short", "count(moldau_controller_leading{$S})",
               "Controllers that can be scraped.", good_from=1),
        number("Active controller", "none", "max(moldau_controller_leader_id{$S})",
               "The id of the controller that leads.", good_from=0),
        number("Offline partitions", "short", ailing("offline"), "Nobody can read or write them.", bad_from=1),
        number("Under min ISR", "short", ailing("under_min_isr"),
               "Writes with acks=all are refused: fewer replicas in sync than min.insync.replicas.", bad_from=1),
        number("Under-replicated", "short", ailing("under_replicated"),
               "Some replicas are not in sync. Normal for a moment in a rolling restart.", bad_from=1),
        number("Partitions", "short", "max(moldau_cluster_partitions{$S})"),
        number("Topics", "short", "max(moldau_cluster_topics{$S})"),
        number("Brokers draining", "short", "max(moldau_cluster_brokers_draining{$S})",
               "Brokers whose replicas move away, or have."),
        number("Reassigning", "short", ailing("reassigning"), "Partitions on the move between brokers."),
        number("Leader not preferred", "short", ailing("leader_not_preferred"),
               "Partitions led by another replica than their first. Mends itself.", width=3),
        number("Client connections", "short", "sum(moldau_client_connections{$S})"),
        number("Data on disk", "bytes", "sum(moldau_log_size_bytes{$S})", "All replicas of all topics."),
        number("Free disk, worst broker", "percentunit",
               "min(moldau_log_directory_free_bytes{$S} / moldau_log_directory_size_bytes{$S})", good_from=0.15),
        number("Releases running", "short", "count(count by (version) (moldau_build_info{$S}))",
               "More than one during an upgrade."),
    ]),
    ("Traffic", [
        graph("Produced", "Bps", (rate("moldau_topic_produced_bytes_total"), NODE), stack=True,
              about="Bytes of batches appended for clients, by leading broker."),
        graph("Sent to consumers", "Bps", (rate("moldau_topic_fetched_bytes_total"), NODE), stack=True),
        graph("Records produced", "rowsps", (rate("moldau_topic_produced_records_total"), NODE), stack=True),
        graph("Requests", "reqps", (rate("moldau_requests_total", "api"), "{{api}}")),
        graph("Request time, 99 %", "s", (quantile(0.99, "moldau_request_seconds", "api"), "{{api}}"),
              about="From the arrival of the whole request to its response. A fetch that waits for data, and a produce "
                    "that waits for replicas, spend that time here."),
        graph("Request time, median", "s", (quantile(0.5, "moldau_request_seconds", "api"), "{{api}}")),
        graph("Batches refused", "ops", (rate("moldau_produce_refused_total"), NODE), least=0,
              about="Batches answered with an error."),
        graph("Network", "Bps", (rate("moldau_network_received_bytes_total"), "in " + NODE),
              (rate("moldau_network_sent_bytes_total"), "out " + NODE)),
        graph("Connections", "short", ("sum by (pod) (moldau_connections{$S})", NODE)),
    ]),
    ("Replication", [
        graph("Partitions that ail", "short",
              ("max by (state) (moldau_cluster_partitions_ailing{$S})", "{{state}}"), least=0),
        graph("Partitions led", "short", ("sum by (pod) (moldau_led_partitions{$S})", NODE)),
        graph("Slowest follower", "short", ("max by (pod) (moldau_replica_lag_records_max{$S})", NODE),
              about="Most records that a follower of a partition led here still has to fetch."),
        graph("Replicas leaving and joining the in-sync set", "ops",
              (rate("moldau_isr_shrinks_total"), "left " + NODE), (rate("moldau_isr_expands_total"), "joined " + NODE),
              width=12),
        graph("Under-replicated, by leader", "short", ("sum by (pod) (moldau_under_replicated_partitions{$S})", NODE),
              width=12, least=0),
    ]),
    ("Disk", [
        graph("Logs", "bytes", ("sum by (pod) (moldau_log_size_bytes{$S})", NODE), stack=True),
        graph("Free disk", "percentunit",
              ("min by (pod) (moldau_log_directory_free_bytes{$S} / moldau_log_directory_size_bytes{$S})", NODE), least=0),
        graph("Group commit, 99 %", "s", (quantile(0.99, "moldau_flush_seconds", "pod"), NODE),
              about="What the syncs of one group commit took: acks=all waits for it."),
        graph("Group commits", "ops", (rate("moldau_flush_rounds_total"), NODE)),
        graph("Compaction", "Bps", (rate("moldau_compaction_read_bytes_total"), "read " + NODE),
              (rate("moldau_compaction_written_bytes_total"), "written " + NODE)),
        graph("Compaction backlog", "percentunit", ("max by (pod) (moldau_compaction_dirty_ratio_max{$S})", NODE),
              about="Dirty share of the dirtiest compacted log.", least=0),
        graph("Partitions that cannot be compacted", "short",
              ("sum by (pod) (moldau_compaction_uncleanable_partitions{$S})", NODE), width=12, least=0),
        graph("Log directories out of service", "short", ("sum by (pod) (moldau_log_directory_failed{$S})", NODE), width=12,
              least=0),
    ]),
    ("Controllers", [
        graph("Who leads", "none", ("max by (pod) (moldau_controller_leading{$S})", NODE), least=0),
        graph("Term", "none", ("max by (pod) (moldau_controller_term{$S})", NODE), about="Grows with every election."),
        graph("Metadata log", "bytes", ("max by (pod) (moldau_controller_log_bytes{$S})", NODE)),
        graph("Metadata changes", "ops", (rate("moldau_controller_entries_total"), NODE)),
        graph("Behind the leader", "short",
              ("max without () (scalar(max(moldau_controller_committed_offset{$S})) - moldau_controller_committed_offset{$S})",
               NODE), about="Entries of the metadata log that a controller has not seen committed.", least=0),
        graph("Unclean elections", "short",
              ("sum by (pod) (moldau_controller_unclean_elections_total{$S})", NODE), least=0,
              about="Leaders elected that may lack acknowledged records."),
        graph("Brokers fenced", "ops", (rate("moldau_controller_brokers_fenced_total"), NODE), least=0,
              about="Brokers that were found gone."),
    ]),
    ("Processes", [
        graph("CPU", "short", (rate("process_cpu_seconds_total"), NODE), about="Cores in use."),
        graph("Memory", "bytes", ("sum by (pod) (process_resident_memory_bytes{$S})", NODE)),
        graph("Event loops busy", "percentunit",
              ("sum by (pod) (rate(moldau_reactor_turn_seconds_sum{$S}[$I])) / sum by (pod) (moldau_reactors{$S})", NODE),
              about="Share of the time that a broker's loops work. Near 1 it is saturated.", least=0),
        graph("File descriptors", "percentunit",
              ("max by (pod) (process_open_fds{$S} / process_max_fds{$S})", NODE), least=0),
        graph("Up for", "s", ("max by (pod) (time() - process_start_time_seconds{$S})", NODE)),
        table("Releases", "short", "moldau_build_info{$S}", ["pod", "component", "version"], width=8),
    ]),
]

TOPICS = [
    ("Traffic", [
        graph("Produced", "Bps", (rate("moldau_topic_produced_bytes_total", "topic", "$S,$T"), "{{topic}}"), width=12),
        graph("Records produced", "rowsps", (rate("moldau_topic_produced_records_total", "topic", "$S,$T"), "{{topic}}"),
              width=12),
        graph("Sent to consumers", "Bps", (rate("moldau_topic_fetched_bytes_total", "topic", "$S,$T"), "{{topic}}"), width=12),
        graph("Mean size of a record", "bytes",
              (rate("moldau_topic_produced_bytes_total", "topic", "$S,$T") + " / " +
               rate("moldau_topic_produced_records_total", "topic", "$S,$T"), "{{topic}}"), width=12,
              about="As stored, after the producer's compression."),
    ]),
    ("Size", [
        graph("On disk, all replicas", "bytes", ("sum by (topic) (moldau_log_size_bytes{$S,$T})", "{{topic}}"), width=12),
        graph("By broker", "bytes", ("sum by (pod) (moldau_log_size_bytes{$S,$T})", NODE), width=12, stack=True),
        table("Topics now", "bytes", "sum by (topic) (moldau_log_size_bytes{$S,$T})", ["topic"], width=12,
              about="Bytes on disk, all replicas."),
        table("Records produced in the last hour", "short",
              "sum by (topic) (increase(moldau_topic_produced_records_total{$S,$T}[1h]))", ["topic"], width=12),
    ]),
]

GROUPS = [
    ("Groups", [
        number("Groups", "short", "sum(moldau_groups{$S})", width=4),
        number("Most behind", "short", "max(sum by (group) (moldau_group_lag_records{$S,$G}))",
               "Records between committed offsets and the ends of their partitions, of the worst group.", width=5),
        number("Coordinators loading", "short", "sum(moldau_group_shards_loading{$S})",
               "Partitions of __consumer_offsets whose groups are still being read.", width=5),
        number("Rebalances in the last hour", "short", "sum(increase(moldau_group_rebalances_total{$S}[1h]))", width=5),
        number("Members lost in the last hour", "short", "sum(increase(moldau_group_members_expired_total{$S}[1h]))",
               "Members that fell silent and were removed.", width=5),
        graph("Lag by group", "short", ("sum by (group) (moldau_group_lag_records{$S,$G})", "{{group}}"), width=12, least=0,
              about="Records behind. A partition without a replica at the group's coordinator is not counted."),
        graph("Lag by topic", "short", ("sum by (group, topic) (moldau_group_lag_records{$S,$G})", "{{group}} {{topic}}"),
              width=12, least=0),
        graph("Change of lag", "cps",
              ("sum by (group) (deriv(moldau_group_lag_records{$S,$G}[5m]))", "{{group}}"), width=12,
              about="Above zero a group falls behind."),
        graph("Groups by state", "short", ("sum by (state) (moldau_groups_in_state{$S})", "{{state}}"), width=12, stack=True),
        table("Partitions furthest behind", "short", "topk(50, moldau_group_lag_records{$S,$G})",
              ["group", "topic", "partition"]),
        graph("Offset commits", "ops", (rate("moldau_group_offset_commits_total"), NODE)),
        graph("Rebalances", "ops", (rate("moldau_group_rebalances_total"), NODE), least=0),
        graph("Members and offsets that expired", "ops", (rate("moldau_group_members_expired_total"), "members " + NODE),
              (rate("moldau_group_offsets_expired_total"), "offsets " + NODE), least=0),
    ]),
    ("Transactions", [
        graph("Open transactions", "short", ("sum by (pod) (moldau_txn_open{$S})", NODE), least=0),
        graph("Decided", "ops", (rate("moldau_txn_committed_total", "moldau_cluster"), "committed"),
              (rate("moldau_txn_aborted_total", "moldau_cluster"), "aborted"),
              (rate("moldau_txn_timed_out_total", "moldau_cluster"), "of these timed out")),
        graph("Transactional ids", "short", ("sum by (pod) (moldau_txn_ids{$S})", NODE), least=0),
    ]),
]

OPERATOR = [
    ("Operator", [
        number("Leading", "short", "sum(moldau_operator_leader{$O})", "One of the operator's Pods acts, the other waits.",
               good_from=1, width=4),
        number("Resources ready", "short",
               'sum(moldau_operator_resource_condition{$O,condition="Ready"} == bool 1)', width=5),
        number("Not ready", "short", 'sum(moldau_operator_resource_condition{$O,condition="Ready"} == bool 0)', bad_from=1,
               width=5),
        number("Degraded", "short", 'sum(moldau_operator_resource_condition{$O,condition="Degraded"} == bool 1)', bad_from=1,
               width=5),
        number("Queue", "short", "sum(moldau_operator_queue_depth{$O})", "Resources that wait to be looked at.", width=5),
        graph("Looks at resources", "ops", (rate("moldau_operator_reconciles_total", "kind", "$O"), "{{kind}}"),
              (rate("moldau_operator_reconcile_steady_total", "kind", "$O"), "{{kind}}, nothing to do"),
              (rate("moldau_operator_reconcile_errors_total", "kind", "$O"), "{{kind}}, failed")),
        graph("Time of a look, 99 %", "s",
              ("histogram_quantile(0.99, sum by (kind, le) (rate(moldau_operator_reconcile_seconds_bucket{$O}[$I])))",
               "{{kind}}")),
        graph("What was done", "ops", (rate("moldau_operator_actions_total", "action", "$O"), "{{action}}")),
        graph("Calls of the Kubernetes API", "ops", (rate("moldau_operator_api_calls_total", "pod", "$O"), "all"),
              (rate("moldau_operator_api_writes_total", "pod", "$O"), "writes"),
              (rate("moldau_operator_api_failures_total", "pod", "$O"), "failed"),
              (rate("moldau_operator_api_throttled_total", "pod", "$O"), "throttled"),
              about="A converged cluster causes no write."),
        graph("Resources", "short", ("sum by (kind) (moldau_operator_resources{$O})", "{{kind}}")),
        graph("Queue", "short", ("sum by (pod) (moldau_operator_queue_depth{$O})", NODE), least=0),
        graph("CPU", "short", (rate("process_cpu_seconds_total", "pod", '$O,component="operator"'), NODE)),
        graph("Memory", "bytes", ('sum by (pod) (process_resident_memory_bytes{$O,component="operator"})', NODE)),
        table("Conditions", "short", "moldau_operator_resource_condition{$O}",
              ["kind", "exported_namespace", "name", "condition"],
              about="1: true, 0: false or unknown. The Kubernetes resources tell reason and message: kubectl describe."),
    ]),
]

BOARDS = {
    "cluster": ("Moldau / Cluster", "cluster", CLUSTER),
    "topics": ("Moldau / Topics", "topic", TOPICS),
    "groups": ("Moldau / Consumer groups", "group", GROUPS),
    "operator": ("Moldau / Operator", "operator", OPERATOR),
}
