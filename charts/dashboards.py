#!/usr/bin/env python3
"""Writes charts/moldau/dashboards/*.json from charts/boards.py. tests/chart says when they are not current.

usage: dashboards.py [DIRECTORY]"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from boards import BOARDS  # noqa: E402

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
SELECTORS = {"$S": 'namespace="$namespace",moldau_cluster="$cluster"', "$T": 'topic=~"$topic"', "$G": 'group=~"$group"',
             "$O": 'namespace="$namespace"', "$I": "$__rate_interval"}


def variable(name, label, query, many=False):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "multi": many, "includeAll": many,
            **({"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}} if many else {})}


def variables(kind):
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}
    if kind == "operator":
        return [source, variable("namespace", "Namespace", "label_values(moldau_operator_leader, namespace)")]
    chosen = [source, variable("namespace", "Namespace", "label_values(moldau_led_partitions, namespace)"),
              variable("cluster", "Cluster", 'label_values(moldau_led_partitions{namespace="$namespace"}, moldau_cluster)')]
    within = SELECTORS["$S"]
    if kind == "topic":
        chosen.append(variable("topic", "Topic", f"label_values(moldau_log_size_bytes{{{within}}}, topic)", True))
    if kind == "group":
        chosen.append(variable("group", "Group", f"label_values(moldau_group_lag_records{{{within}}}, group)", True))
    return chosen


def expression(text):
    for short, whole in SELECTORS.items():
        text = text.replace(short, whole)
    return text


def thresholds(panel):
    steps = [{"color": "green", "value": None}]
    if panel.get("bad_from") is not None:
        steps.append({"color": "red", "value": panel["bad_from"]})
    if panel.get("good_from") is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": panel["good_from"]}]
    return {"mode": "absolute", "steps": steps}


def target(index, query, panel):
    text, legend = query
    out = {"datasource": DATASOURCE, "expr": expression(text), "refId": chr(ord("A") + index), "legendFormat": legend}
    if panel["kind"] != "timeseries":
        out["instant"] = True
    if panel["kind"] == "table":
        out["format"] = "table"
    return out


def look(panel):
    """fieldConfig, options and transformations of one panel."""
    defaults = {"unit": panel["unit"]}
    if panel["kind"] == "timeseries":
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if panel["stack"] else 5,
                              "showPoints": "never", "stacking": {"mode": "normal" if panel["stack"] else "none"}}
        if panel["least"] is not None:
            defaults["min"] = panel["least"]
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
        return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}
    if panel["kind"] == "stat":
        defaults["thresholds"] = thresholds(panel)
        coloured = panel["bad_from"] is not None or panel["good_from"] is not None
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value" if coloured else "none",
                   "graphMode": "none", "textMode": "value"}
        return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}
    order = {name: index for index, name in enumerate([*panel["columns"], "Value"])}
    keep = [{"id": "filterFieldsByName", "options": {"include": {"names": list(order)}}},
            {"id": "organize", "options": {"indexByName": order}}]
    return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": {"showHeader": True}, "transformations": keep}


def panels(rows):
    out, y = [], 0
    for title, row in rows:
        out.append({"type": "row", "title": title, "id": len(out) + 1, "collapsed": False, "panels": [],
                    "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}})
        y, x, height = y + 1, 0, 0
        for panel in row:
            if x + panel["width"] > COLUMNS:
                x, y, height = 0, y + height, 0
            out.append({"type": panel["kind"], "title": panel["title"], "id": len(out) + 1, "datasource": DATASOURCE,
                        **({"description": panel["about"]} if panel["about"] else {}),
                        "gridPos": {"h": panel["height"], "w": panel["width"], "x": x, "y": y},
                        "targets": [target(i, query, panel) for i, query in enumerate(panel["queries"])], **look(panel)})
            x, height = x + panel["width"], max(height, panel["height"])
        y += height
    return out


def board(name):
    title, kind, rows = BOARDS[name]
    return {"uid": f"moldau-{name}", "title": title, "tags": ["moldau"], "schemaVersion": 39, "version": 1, "editable": True,
            "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
            "templating": {"list": variables(kind)}, "annotations": {"list": []},
            "links": [{"type": "dashboards", "title": "Moldau", "tags": ["moldau"], "asDropdown": True, "includeVars": True,
                       "keepTime": True}],
            "panels": panels(rows)}


def text(name):
    return json.dumps(board(name), indent=1, ensure_ascii=False) + "\n"


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "moldau/dashboards")
    for name in BOARDS:
        with open(os.path.join(directory, f"{name}.json"), "w", encoding="utf-8") as file:
            file.write(text(name))


if __name__ == "__main__":
    main()
