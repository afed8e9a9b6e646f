# SPDX-License-Identifier: BSL-1.0
"""A page with a bar per figure: one file, without scripts, that asks the network for nothing."""
import statistics
import xml.etree.ElementTree as xml

from .scale import Linear, Logarithmic
from .table import number

WIDTH, HEIGHT = 420, 22

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #ffffff; --faint: #5b626b; --line: #d5d9de;
  --ours: #1a7f4b; --peer: #6d7fa3; --spread: #1c1e21; --missed: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #16181b; --faint: #a0a7b0;
  --line: #3a3f46; --ours: #4cc38a; --peer: #8295bd; --spread: #e6e8ea; --missed: #ff8a80; } }
body { margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; margin: 1rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .1rem .7rem .1rem 0; text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; font-weight: 400; }
thead th { color: var(--faint); font-size: .85rem; vertical-align: bottom; }
tbody th, thead th:first-child, td.text { text-align: left; }
tbody th { min-width: 7.5rem; } td { min-width: 5rem; } td.faint { min-width: 9rem; }
td.faint, p.faint, li { color: var(--faint); }
tr.ours th, tr.ours td:not(.faint) { font-weight: 600; }
.missed { color: var(--missed); }
svg { display: block; width: 420px; height: 22px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--faint); text-anchor: middle; }
.grid { stroke: var(--line); } .base { stroke: var(--faint); stroke-width: 1.5; }
.bar { fill: var(--peer); } .ours .bar { fill: var(--ours); }
.range { stroke: var(--spread); } .middle { stroke: var(--spread); stroke-width: 4; opacity: .55; }
.limit { stroke: var(--missed); stroke-width: 2; stroke-dasharray: 3 2; }
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>Tendril: measured</title>
<style>{style}</style>
</head>
"""

LEGEND = (
    "A bar is the median. Where there is a floor, it shows how many times the floor that is, on a "
    "logarithmic axis that begins at 1×: to the right it is more than the floor, to the left less. The "
    "ratios are paired, each of one round; the thin line runs from the least to the greatest of them, "
    "the thick one over their middle half. A dashed mark is what Tendril is to reach. Where there is no "
    "floor, a bar begins at 0 and the lines are those of the values.")


def node(tag, *content, **attributes):
    """An element; texts and elements in it; `css` is its class."""
    attributes = {{"css": "class"}.get(key, key).replace("_", "-"): str(value)
                  for key, value in attributes.items() if value is not None}
    element = xml.Element(tag, attributes)
    last = None
    for part in content:
        if isinstance(part, xml.Element):
            element.append(part)
            last = part
        elif last is None:
            element.text = (element.text or "") + part
        else:
            last.tail = (last.tail or "") + part
    return element


def page(benches):
    """`benches` as files.read() gives them."""
    body = node("body", node("h1", "Tendril, measured"),
                node("p", LEGEND), targets(benches), *map(section, benches))
    text = xml.tostring(body, encoding="unicode", short_empty_elements=False)
    return HEAD.format(style=STYLE) + text + "\n</html>\n"


# ---- what was to be reached

def limit_text(row):
    return f"≤ {number(row['limit'])}" + ("×" if row["limits_ratio"] else f" {row['unit']}")


def verdict(row):
    return {True: "met", False: "missed", None: "not measured"}[row["met"]]


def targets(benches):
    rows = []
    for bench in benches:
        for row in bench["rows"]:
            if row["limit"] is not None:
                measured = row["floor_ratio"] if row["limits_ratio"] else row["value"]
                unit = "×" if row["limits_ratio"] else f" {row['unit']}"
                rows.append(node(
                    "tr", node("th", f"{row['bench']}, {row['case']}", scope="row"),
                    node("td", row["impl"], css="text"),
                    node("td", "–" if measured is None else number(measured) + unit),
                    node("td", limit_text(row)),
                    node("td", verdict(row), css="text" if row["met"] else "text missed")))
    head = node("tr", *(node("th", text, scope="col")
                        for text in ("", "", "measured", "to reach", "")))
    return node("table", node("caption", "What Tendril is to reach"), node("thead", head),
                node("tbody", *rows))


# ---- one bench

def section(bench):
    about = bench["about"]
    machine = about["machine"]
    measured = (
        f"Measured {about['date']}, {about['rounds']} rounds{' (quick)' if about['quick'] else ''}, on "
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gb']} GB, load {machine['load']} at "
        f"the beginning; {machine['kernel']}, {machine['system']}; {machine['compiler']}; "
        f"Tendril {machine['version']}.")
    cases = {}
    for row in bench["rows"]:
        cases.setdefault(row["case"], []).append(row)
    notes = [node("ul", *(node("li", note) for note in about["notes"]))] if about["notes"] else []
    return node("section", node("h2", about["bench"]), node("p", about["title"] + "."),
                node("p", measured, css="faint"),
                *(chart(case, rows) for case, rows in cases.items()), *notes)


def chart(case, rows):
    with_floor = any(row["ratios"] for row in rows)
    spread = "ratios" if with_floor else "values"
    shown = [v for row in rows for v in row[spread]]
    shown += [row["limit"] for row in rows
              if row["limit"] is not None and row["limits_ratio"] == with_floor]
    scale = (Logarithmic if with_floor else Linear)(shown, WIDTH)
    unit = rows[0]["unit"]
    better = "; more is better" if unit == "1/s" else ""
    columns = ("", f"median, {unit}", "least – greatest", "to floor", "least – greatest")
    head = node("tr", *(node("th", text, scope="col") for text in columns),
                node("th", axis(scale), scope="col"))
    return node("table", node("caption", f"{case}{better}"), node("thead", head),
                node("tbody", *(line(row, spread, scale) for row in rows)))


def extent(values):
    return f"{number(min(values))} – {number(max(values))}" if len(values) > 1 else ""


def line(row, spread, scale):
    ratio = row["floor_ratio"]
    return node("tr", node("th", row["impl"], scope="row"),
                node("td", number(row["value"])),
                node("td", extent(row["values"]), css="faint"),
                node("td", "" if ratio is None else f"{ratio:.3g}×"),
                node("td", extent(row["ratios"]), css="faint"),
                node("td", bar(row, spread, scale)),
                css="ours" if row["impl"].startswith("tendril") else None)


# ---- the pictures; what they show is said in text beside them

def drawing(*content):
    return node("svg", *content, viewBox=f"0 0 {WIDTH} {HEIGHT}", aria_hidden="true")


def upright(x, css, top=0):
    return node("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=top, y2=HEIGHT, css=css)


def axis(scale):
    return drawing(*(node("text", text, x=f"{scale.place(value):.1f}", y=HEIGHT - 6)
                     for value, text in scale.ticks()))


def bar(row, spread, scale):
    parts = [upright(scale.place(value), "grid") for value, _ in scale.ticks()]
    values = row[spread]
    if values:
        base, end = scale.place(scale.base), scale.place(statistics.median(values))
        parts.append(node("rect", x=f"{min(base, end):.1f}", y=4, width=f"{abs(end - base):.1f}",
                          height=HEIGHT - 8, css="bar"))
        parts += [level(min(values), max(values), scale, "range")]
        if len(values) > 3:
            first, _, third = statistics.quantiles(values, n=4, method="inclusive")
            parts.append(level(first, third, scale, "middle"))
    if row["limit"] is not None and row["limits_ratio"] == (spread == "ratios"):
        parts.append(upright(scale.place(row["limit"]), "limit", 1))
    parts.append(upright(scale.place(scale.base), "base"))
    return drawing(*parts)


def level(low, high, scale, css):
    return node("line", x1=f"{scale.place(low):.1f}", x2=f"{scale.place(high):.1f}", y1=HEIGHT / 2,
                y2=HEIGHT / 2, css=css)
