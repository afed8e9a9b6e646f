# SPDX-License-Identifier: BSL-1.0
"""What a bench came to, on disk: NAME.jsonl with a line per figure, and beside it NAME.spread.json
with what each round measured, on which machine and when."""
import datetime
import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def write(report, about, folder):
    with open(folder / f"{report.name}.jsonl", "w", encoding="utf-8") as file:
        for row in report.rows:
            file.write(json.dumps({
                "bench": report.name,
                "case": row.case,
                "impl": row.impl,
                "value": row.value,
                "unit": row.unit,
                "floor_ratio": row.ratio,
                "runs": len(row.values),
            }) + "\n")
    spread = {
        "bench": report.name,
        "title": report.title,
        "notes": report.notes,
        **about,
        "rows": [{
            "case": row.case,
            "impl": row.impl,
            "values": row.values,
            "ratios": row.ratios,
            "limit": row.limit,
            "limits_ratio": row.limits_ratio,
            "met": row.met,
        } for row in report.rows],
    }
    (folder / f"{report.name}.spread.json").write_text(json.dumps(spread, indent=1) + "\n",
                                                       encoding="utf-8")


def read(folder, names):
    """Those of the benches that the folder has, each as {"about": ..., "rows": [figure and spread]}."""
    found = []
    for name in names:
        lines = folder / f"{name}.jsonl"
        if not lines.exists():
            continue
        about = json.loads(lines.with_suffix(".spread.json").read_text(encoding="utf-8"))
        spreads = {(row["case"], row["impl"]): row for row in about.pop("rows")}
        rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        found.append({"about": about,
                      "rows": [{**row, **spreads[row["case"], row["impl"]]} for row in rows]})
    return found


def describe(machine):
    """Where and when this is measured."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "rounds": machine.rounds,
        "quick": machine.quick,
        "machine": {
            "cpu": _cpu(),
            "cpus": len(os.sched_getaffinity(0)),
            "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
            "load": round(os.getloadavg()[0], 1),
            "kernel": f"{platform.system()} {platform.release()}",
            "system": _system(),
            "compiler": _first_line(_compiler(machine.build), "--version"),
            "version": _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        },
    }


def _cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.machine()


def _system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"


def _compiler(build):
    cache = build / "CMakeCache.txt"
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.exists() else []
    return next((line.partition("=")[2] for line in lines
                 if line.startswith("CMAKE_CXX_COMPILER:")), "c++")


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else "unknown"
