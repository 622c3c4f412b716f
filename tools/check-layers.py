#!/usr/bin/env python3
"""Fail if a file under src/ includes a module that its DEPS_ line in mk/layers.mk does not list,
or if a pure module includes a header with effects."""
import pathlib
import re
import sys

table = open(sys.argv[1]).read()
deps = {m: set(d.split()) for m, d in re.findall(r"^DEPS_([\w-]+)\s*:=(.*)$", table, re.M)}
bins = {m: set(d.split()) for m, d in re.findall(r"^BIN_([\w-]+)\s*:=(.*)$", table, re.M)}
pure = set(re.search(r"^PURE\s*:=(.*)$", table, re.M)[1].split())
EFFECTS = {"unistd.h", "fcntl.h", "pthread.h", "time.h", "sys/socket.h", "sys/stat.h", "dirent.h",
           "signal.h", "poll.h", "threads.h", "curl/curl.h", "microhttpd.h", "lmdb.h", "math.h"}
ALLOWED = {("base", "mem.h", "unistd.h"), ("base", "log.c", "unistd.h"), ("base", "log.c", "time.h")}


def closure(mods):
    out = set()
    todo = list(mods)
    while todo:
        m = todo.pop()
        if m not in out and m in deps:
            out.add(m)
            todo += deps[m]
    return out


bad = 0
for f in sorted(pathlib.Path("src").rglob("*.[ch]")):
    mod = f.parts[1]
    if mod == "bin":
        may = closure(bins.get(f.stem, ())) | {"base"}
    elif mod in deps:
        may = deps[mod] | {mod}
    else:
        print(f"{f}: module {mod} is not in {sys.argv[1]}")
        bad = 1
        continue
    for i, line in enumerate(f.open(), 1):
        if m := re.match(r'#\s*include "([^"]*)"', line):
            inc = re.fullmatch(r"([\w-]+)/(\S+\.(h|inc))", m[1])
            if not inc:
                print(f'{f}:{i}: include must be "module/file.h"')
                bad = 1
            elif inc[1] not in may or (inc[1] != mod and "internal/" in inc[2]):
                print(f"{f}:{i}: {mod} may not include {m[1]}")
                bad = 1
        elif (m := re.match(r"#\s*include <([^>]*)>", line)) and mod in pure and m[1] in EFFECTS:
            if (mod, f.name, m[1]) not in ALLOWED:
                print(f"{f}:{i}: {mod} is pure and may not include <{m[1]}>")
                bad = 1
sys.exit(bad)
