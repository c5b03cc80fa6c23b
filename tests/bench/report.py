"""From the figures of all pairs to a table: medians, the median of the pairs' ratios and their spread."""

from statistics import median


def summarise(workloads, measured):
    """`measured` is {(workload name, pair, side): {metric key: value}}. One row per metric."""
    rows = []
    for workload in workloads:
        pairs = sorted({pair for name, pair, _ in measured if name == workload.name})
        for metric in workload.metrics:
            sides = {side: [measured.get((workload.name, pair, side), {}).get(metric.key) for pair in pairs]
                     for side in ("kafka", "moldau")}
            if any(value is not None for values in sides.values() for value in values):
                rows.append(row(workload, metric, sides))
    return rows


def row(workload, metric, sides):
    ratios = [ours / theirs for theirs, ours in zip(sides["kafka"], sides["moldau"]) if theirs and ours is not None]
    known = {side: [value for value in values if value is not None] for side, values in sides.items()}
    ratio = {"median": median(ratios), "min": min(ratios), "max": max(ratios)} if ratios else None
    reached = None
    if ratio and metric.target is not None:
        reached = ratio["median"] <= metric.target
    return {"workload": workload.name, "title": workload.title, "metric": metric.title, "unit": metric.unit,
            "target": metric.target, "ratio": ratio, "reached": reached,
            **{side: {"median": median(values) if values else None, "values": values} for side, values in known.items()}}


def number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.1g}"


HEADINGS = ("work", "metric", "Kafka", "Moldau", "ratio", "of pairs", "target", "")


def cells(each):
    ratio = each["ratio"]
    spread = f"{number(ratio['min'])} .. {number(ratio['max'])}" if ratio else "-"
    verdict = {True: "reached", False: "missed", None: ""}[each["reached"]]
    return (each["title"], f"{each['metric']} ({each['unit']})", number(each["kafka"]["median"]),
            number(each["moldau"]["median"]), number(ratio["median"]) if ratio else "-", spread,
            f"<= {each['target']:g}" if each["target"] is not None else "", verdict)


def table(rows):
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    out, last = [], None
    for line in lines:
        shown = [cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        if line[0] == last:
            shown[0] = " " * widths[0]
        last = line[0]
        out.append("  ".join(shown).rstrip())
    return "\n".join(out)


def markdown(rows):
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return "\n".join(lines + ["| " + " | ".join(cells(each)) + " |" for each in rows])
