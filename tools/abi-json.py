#!/usr/bin/env python3
"""Standard Solidity ABI JSON from rows of the form used by the reference table (a JSON object whose
entries have functions, events and errors with "sig" instead of "name").
Usage: abi-json.py TABLE CONTRACT > contracts/abi/CONTRACT.json. The result is then edited by hand."""
import json
import sys


def standard(kind, row):
    out = {"type": kind, "name": row["sig"].split("(")[0], "inputs": row["inputs"]}
    if kind == "function":
        out["outputs"] = row["outputs"]
        out["stateMutability"] = row["stateMutability"]
    if kind == "event":
        out["anonymous"] = row.get("anonymous", False)
    return out


def dump(rows):
    """One line an entry: a change of one function is a change of one line."""
    return "[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]\n"


def convert(entry):
    rows = [standard("function", f) for f in entry["functions"]]
    rows += [standard("event", f) for f in entry["events"]]
    rows += [standard("error", f) for f in entry["errors"]]
    if entry["receive"]:
        rows.append({"type": "receive", "stateMutability": "payable"})
    return rows


if __name__ == "__main__":
    sys.stdout.write(dump(convert(json.load(open(sys.argv[1]))[sys.argv[2]])))
