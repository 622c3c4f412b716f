#!/usr/bin/env python3
"""Every file that reads outside bytes is in docs/fuzzing.md, with fuzz targets or a reason.
Usage: check-parsers.py   (from anywhere)"""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = "docs/fuzzing.md"
READS = re.compile(
    r"\b(reader_init|proto_reader_init|abi_reader_init|json_parse|json_loadb|archive_read_new|inflateInit2?)\(")
ROW = re.compile(r"^\| `(src/[^`]+)` \| (.+) \|$", re.M)
TARGET = re.compile(r"`([a-z0-9_]+/[a-z0-9_]+)`")

rows = dict(ROW.findall((ROOT / PAGE).read_text()))
readers = {str(p.relative_to(ROOT)) for p in (ROOT / "src").rglob("*.c") if READS.search(p.read_text())}
targets = {str(p.relative_to(ROOT / "fuzz"))[:-2] for p in (ROOT / "fuzz").glob("*/*.c")}
bad = []

for name in sorted(readers - rows.keys()):
    bad.append(f"{name} reads outside bytes: add its row (fuzz targets, or why it has none)")
for name in sorted(rows.keys() - readers):
    bad.append(f"{name} has a row, and reads nothing (any more)")
for name, cell in rows.items():
    for t in set(TARGET.findall(cell)) - targets:
        bad.append(f"{name}: there is no target fuzz/{t}.c")
for t in sorted(targets):
    if not any(p.is_file() for p in (ROOT / "fuzz" / f"{t}.corpus").glob("*")):
        bad.append(f"fuzz/{t}.c has no corpus")
for line in bad:
    print(f"{PAGE}: {line}", file=sys.stderr)
sys.exit(1 if bad else 0)
