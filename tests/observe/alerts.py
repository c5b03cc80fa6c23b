"""What makes each alert fire, as series for promtool: {alert: (series that fire, minutes until it fires, the same
cluster in health)}. A series is (name and labels, values in promtool's notation, one a minute)."""

NODE = 'namespace="ns",moldau_cluster="demo",pod="demo-broker-1",component="broker"'
CONTROLLER = 'namespace="ns",moldau_cluster="demo",pod="demo-controller-{}",component="controller"'
OPERATOR = 'namespace="moldau",pod="moldau-0",component="operator"'
RESOURCE = OPERATOR + ',kind="Cluster",exported_namespace="ns",name="demo",condition="{}"'


def ailing(state, value):
    return (f'moldau_cluster_partitions_ailing{{{CONTROLLER.format(1)},state="{state}"}}', f"{value}x60")


def node(metric, values, more=""):
    return (f"{metric}{{{NODE}{more}}}", values)


def controller(metric, *values):
    return [(f"{metric}{{{CONTROLLER.format(i + 1)}}}", each) for i, each in enumerate(values)]


def operator(metric, values, more=""):
    return (f"{metric}{{{OPERATOR}{more}}}", values)


def condition(name, value):
    return (f"moldau_operator_resource_condition{{{RESOURCE.format(name)}}}", f"{value}x60")


def disk(free):
    return [node("moldau_log_directory_free_bytes", f"{free}x60"), node("moldau_log_directory_size_bytes", "100x60")]


def flush(slow):
    """Ten syncs a minute; the slow ones take 2 s."""
    return [node("moldau_flush_seconds_bucket", "0x60" if slow else "0+10x60", ',le="1"'),
            node("moldau_flush_seconds_bucket", "0+10x60", ',le="2"'),
            node("moldau_flush_seconds_bucket", "0+10x60", ',le="+Inf"')]


def lag(values):
    return [node("moldau_group_lag_records", values, ',group="shop",topic="orders",partition="0"')]


FIRES = {
    "MoldauOfflinePartitions": ([ailing("offline", 3)], 1, [ailing("offline", 0)]),
    "MoldauPartitionsUnderMinIsr": ([ailing("under_min_isr", 3)], 2, [ailing("under_min_isr", 0)]),
    "MoldauUnderReplicatedPartitions": ([ailing("under_replicated", 3)], 10, [ailing("under_replicated", 0)]),
    "MoldauBrokerDown": ([(f'moldau_cluster_brokers{{{CONTROLLER.format(1)},state="fenced"}}', "1x60")], 5,
                         [(f'moldau_cluster_brokers{{{CONTROLLER.format(1)},state="fenced"}}', "0x60")]),
    "MoldauNoActiveController": (controller("moldau_controller_leading", "0x60", "0x60"), 1,
                                 controller("moldau_controller_leading", "0x60", "1x60")),
    "MoldauControllerDown": (controller("moldau_controller_voters", "3x60", "3x60"), 5,
                             controller("moldau_controller_voters", "3x60", "3x60", "3x60")),
    "MoldauControllerBehind": (controller("moldau_controller_committed_offset", "0+100x60", "0+100x60", "500x60"), 16,
                               controller("moldau_controller_committed_offset", "0+100x60", "0+100x60", "0+99x60")),
    "MoldauUncleanElection": (controller("moldau_controller_unclean_elections_total", "0 0 1 1x57"), 2,
                              controller("moldau_controller_unclean_elections_total", "4x60")),
    "MoldauMetadataLogFailed": (controller("moldau_controller_failed", "1x60"), 0,
                                controller("moldau_controller_failed", "0x60")),
    "MoldauLogDirectoryFailed": ([node("moldau_log_directory_failed", "1x60")], 0,
                                 [node("moldau_log_directory_failed", "0x60")]),
    "MoldauDiskFilling": (disk(14), 10, disk(16)),
    "MoldauDiskNearlyFull": (disk(4), 1, disk(6)),
    "MoldauSlowDisk": (flush(slow=True), 12, flush(slow=False)),
    "MoldauUncleanablePartitions": ([node("moldau_compaction_uncleanable_partitions", "2x60")], 15,
                                    [node("moldau_compaction_uncleanable_partitions", "0x60")]),
    "MoldauSaturated": ([node("moldau_reactor_turn_seconds_sum", "0+115x60"), node("moldau_reactors", "2x60")], 22,
                        [node("moldau_reactor_turn_seconds_sum", "0+60x60"), node("moldau_reactors", "2x60")]),
    "MoldauProduceRefused": ([node("moldau_produce_refused_total", "0+120x60")], 16,
                             [node("moldau_produce_refused_total", "0+6x60")]),
    "MoldauFileDescriptors": ([node("process_open_fds", "90x60"), node("process_max_fds", "100x60")], 10,
                              [node("process_open_fds", "70x60"), node("process_max_fds", "100x60")]),
    "MoldauRestarting": ([node("process_start_time_seconds", "0 0 100 200 300 300x55")], 6,
                         [node("process_start_time_seconds", "0 0 100 100x57")]),
    "MoldauScrapeFailing": ([node("up", "0x60")], 5, [node("up", "1x60")]),
    "MoldauGroupFallsBehind": (lag("20000+100x60"), 17, lag("20000-100x60")),
    "MoldauCoordinatorLoading": ([node("moldau_group_shards_loading", "1x60"), node("moldau_txn_shards_loading", "0x60")], 10,
                                 [node("moldau_group_shards_loading", "0x60"), node("moldau_txn_shards_loading", "0x60")]),
    "MoldauOperatorDown": ([operator("moldau_operator_leader", "0x60")], 5, [operator("moldau_operator_leader", "1x60")]),
    "MoldauReconcileFailing": ([operator("moldau_operator_reconcile_errors_total", "0+2x60", ',kind="Cluster"')], 17,
                               [operator("moldau_operator_reconcile_errors_total", "7x60", ',kind="Cluster"')]),
    "MoldauResourceNotReady": ([condition("Ready", 0)], 15, [condition("Ready", 1)]),
    "MoldauResourceDegraded": ([condition("Degraded", 1)], 15, [condition("Degraded", 0)]),
    "MoldauUpgradeBlocked": ([condition("UpgradeBlocked", 1)], 30, [condition("UpgradeBlocked", 0)]),
    "MoldauOperatorQueueStuck": ([operator("moldau_operator_queue_depth", "150x60")], 16,
                                 [operator("moldau_operator_queue_depth", "20x60")]),
}


def tests(rules):
    """A file for `promtool test rules`: each alert fires when it should, not a moment before `for` has passed, and
    not in health."""
    def count(alert, minute, fires):
        return {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}

    out = []
    for alert, (firing, minutes, healthy) in FIRES.items():
        series = [{"series": name, "values": values} for name, values in firing]
        early = [count(alert, minutes - 1, False)] if minutes in (1, 2, 5, 10, 15, 30) else []
        out.append({"interval": "1m", "name": f"{alert} fires", "input_series": series,
                    "promql_expr_test": [*early, count(alert, minutes, True), count(alert, min(minutes + 5, 50), True)]})
        series = [{"series": name, "values": values} for name, values in healthy]
        out.append({"interval": "1m", "name": f"{alert} is quiet in health", "input_series": series,
                    "promql_expr_test": [count(alert, minute, False) for minute in (minutes, 40)]})
    return {"rule_files": [rules], "evaluation_interval": "1m", "tests": out}
