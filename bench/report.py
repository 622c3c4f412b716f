#!/usr/bin/env python3
"""The end of bench/run: rows "PART|WHAT|OURS|BESIDE|TIMES" of a file, and "load|N" before each part, become a table on the standard output and
O/bench/results.json. With --readme the table also replaces the one in bench/README.md, as Markdown.
Usage: bench/report.py ROWS RESULTS.json [--readme]"""
import json, os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- results: bench/run --readme -->", "<!-- end of results -->"


UNITS = "ms|us|s|MiB/s|MB/s|MiB|GiB|bytes|a second|of the speed"


def quantity(text):
    """'p50 0.67 ms, p99 5 ms' -> its text, value 0.67, unit 'ms': the first number with a unit."""
    m = re.search(rf"(?<![\w.])(\d+(?:\.\d+)?) ?({UNITS})(?![\w/])", text)
    return {"text": text, "value": float(m[1]), "unit": m[2]} if m else {"text": text}


def machine(loads):
    cpu = re.search(r"^model name\s*: (.*)$", open("/proc/cpuinfo").read(), re.M)
    git = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {"cpu": cpu[1] if cpu else "processor unknown", "processors": len(os.sched_getaffinity(0)),
            "load": [min(loads), max(loads)], "commit": git.stdout.strip()}


def main():
    rows_path, results, *flags = sys.argv[1:]
    lines = [line.rstrip("\n").split("|") for line in open(rows_path)]
    rows = [(r + [""] * 5)[:5] for r in lines if r[0] != "load"]
    about = machine([float(r[1]) for r in lines if r[0] == "load"])
    os.makedirs(os.path.dirname(results), exist_ok=True)
    with open(results, "w") as f:
        json.dump({**about, "rows": [{"part": p, "what": w, "ours": quantity(o), "beside": quantity(b) if b else None,
                                      "times": float(t) if t else None} for p, w, o, b, t in rows]}, f, indent=1)
        f.write("\n")
    head = f"{about['cpu']}, {about['processors']} processors, load {' to '.join(map(str, about['load']))}; medians"
    print(head + "\n")
    for row in [("part", "what", "ours", "beside", "times"), *rows]:
        print("{:<12} {:<66} {:>26}  {:<26} {:>7}".format(*row))
    if "--readme" in flags:
        path = f"{HERE}/README.md"
        text = open(path).read()
        table = "\n".join(["| " + " | ".join(r) + " |" for r in
                           [("part", "what", "ours", "beside", "times"), ("---",) * 5, *rows]])
        before, rest = text.split(BEGIN)
        open(path, "w").write(f"{before}{BEGIN}\n{head}; commit {about['commit']}.\n\n{table}\n{END}{rest.split(END)[1]}")


main()
