#!/usr/bin/env python3
"""Writes docs/reference/crd.md, every field of the custom resources, from manifests/crds. tests/chart says when it is
not current.

usage: crd_reference.py"""

import glob
import os
import sys

try:
    import yaml
except ImportError:  # another Python than Debian's, whose package this is
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.path.join(ROOT, "docs/reference/crd.md")
HEAD = """# Custom resources, field by field

Made from `manifests/crds` by `charts/crd_reference.py`: do not edit. `kubectl explain cluster.moldau.dev.spec` says the
same. How to use them: [docs/kubernetes.md](../kubernetes.md).
"""
LIMITS = (("minimum", "at least {}"), ("maximum", "at most {}"), ("minLength", "at least {} characters"),
          ("maxLength", "at most {} characters"), ("minItems", "at least {} items"), ("maxItems", "at most {} items"),
          ("maxProperties", "at most {} entries"), ("pattern", "`{}`"))


def type_of(field):
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind = field.get("type", "any")
    if kind == "array":
        return "list of " + type_of(field["items"])
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return "map of " + type_of(field["additionalProperties"])
    return kind


def plain(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == {}:
        return "{}"
    return str(value)


def remarks(field):
    out = []
    if "enum" in field:
        out.append("one of " + ", ".join(f"`{plain(each)}`" for each in field["enum"]))
    for key, words in LIMITS:
        if key in field and not (key == "maxLength" and field[key] > 300):
            out.append(words.format(field[key]))
    if field.get("default") not in (None, {}) and not isinstance(field["default"], (dict, list)):
        out.append(f"default `{plain(field['default'])}`")
    for rule in field.get("x-kubernetes-validations", []):
        out.append(rule.get("message", rule["rule"]).split(": ", 1)[-1])
    return "; ".join(out)


def row(path, field, required):
    cells = [f"`{path}`" + (" (required)" if required else ""), type_of(field), field.get("description", ""), remarks(field)]
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def rows(path, field):
    inner = field["items"] if field.get("type") == "array" else field
    here = path + "[]" if field.get("type") == "array" else path
    for name, child in inner.get("properties", {}).items():
        where = f"{here}.{name}" if here else name
        yield row(where, child, name in inner.get("required", []))
        yield from rows(where, child)


def section(crd):
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    out = [f"\n## {names['kind']}\n",
           f"`{crd['spec']['group']}/{version['name']}`, short name `{', '.join(names.get('shortNames', []))}`. "
           f"{schema.get('description', '')}\n"]
    for part in ("spec", "status"):
        out += [f"### {names['kind']}: {part}\n", "| field | type | what | limits |", "|---|---|---|---|"]
        out += [*rows(part, schema["properties"][part]), ""]
    return "\n".join(out).rstrip() + "\n"


def text():
    out = HEAD
    for path in sorted(glob.glob(os.path.join(ROOT, "manifests/crds/*.yaml"))):
        with open(path, encoding="utf-8") as file:
            out += section(yaml.safe_load(file))
    return out


if __name__ == "__main__":
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    with open(PATH, "w", encoding="utf-8") as out_file:
        out_file.write(text())
