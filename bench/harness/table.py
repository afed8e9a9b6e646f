# SPDX-License-Identifier: BSL-1.0
"""What a bench came to, as text for a terminal."""


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def target(row):
    if row.limit is None:
        return "", ""
    text = f"<= {number(row.limit)}{'x' if row.limits_ratio else ' ' + row.unit}"
    return text, {True: "met", False: "MISSED", None: "?"}[row.met]


def columns(row):
    ratio = spread = ""
    if row.ratios:
        ratio = f"{row.ratio:.3f}x"
        spread = f"({min(row.ratios):.3f} - {max(row.ratios):.3f})"
    return [row.case, row.impl, number(row.value), row.unit, ratio, spread, *target(row)]


def show(report):
    print(f"\n{report.name}: {report.title}")
    lines = [["case", "impl", "median", "unit", "to floor", "(min - max)", "to reach", ""]]
    lines += [columns(row) for row in report.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    right = {2, 4}
    case = None
    for line in lines:
        if case is not None and line[0] != case and case != "case":
            print()
        case = line[0]
        cells = [c.rjust(w) if i in right else c.ljust(w)
                 for i, (c, w) in enumerate(zip(line, widths))]
        print("  " + "  ".join(cells).rstrip())
    for note in report.notes:
        print(f"  note: {note}")

