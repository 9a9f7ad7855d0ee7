#!/usr/bin/env python3
"""Prints a markdown table from `peer,op,param,metric,value,unit` lines: medians and their ratio against the target."""
import csv
import statistics
import sys

OURS, PEER = "kvbm-java", "kvbm-logical-1.6.1"
# op, param without backend word, least ratio asked for
TARGETS = [
    ("alloc_drop", "n=1 t=1", 1.2), ("alloc_drop", "n=32 t=1", 2), ("alloc_drop", "n=1 t=2", 2), ("alloc_drop", "n=32 t=2", 2),
    ("lifecycle_tokens", "n=1 page=16 t=1", 4), ("lifecycle_tokens", "n=32 page=16 t=1", 4),
    ("lifecycle_tokens", "n=1 page=16 t=2", 3), ("lifecycle_tokens", "n=32 page=16 t=2", 3),
    ("lifecycle_prehashed", "n=1 page=16 t=1", None), ("lifecycle_prehashed", "n=32 page=16 t=1", None),
    ("lifecycle_chain", "n=32 page=16 t=1", None), ("lifecycle_chain", "n=32 page=16 sha256 t=1", None),
    ("match_hit_inactive", "prefix=128 +drop t=1", 5), ("match_hit_inactive", "prefix=128 +drop t=2", 5),
    ("match_hit_inactive", "prefix=128 +drop sha256 t=1", None),
    ("match_hit_active", "prefix=128 +drop t=1", 1.2), ("match_hit_active", "prefix=128 +drop t=2", 0.9),
    ("match_hit_active", "prefix=128 +drop sha256 t=1", None),
    ("match_miss", "prefix=128 stops at first t=1", 1.5), ("match_miss", "prefix=128 stops at first t=2", 1.5),
    ("match_miss", "prefix=128 stops at first sha256 t=1", None),
    ("hash_sequence", "page=16 tokens=8192 t=1", 2), ("hash_sequence", "page=64 tokens=8192 t=1", 0.8),
    ("hash_sequence_objects", "page=16 tokens=8192 t=1", None), ("hash_sequence", "page=16 tokens=8192 sha256 t=1", None),
    ("hash_append", "page=16 tokens=8192 t=1", 6), ("hash_append", "page=64 tokens=8192 t=1", 6),
]
COPIES = [("4096", 0.9), ("65536", 0.95), ("1048576", 0.95)]

values = {}
for row in csv.reader(open(sys.argv[1], errors="replace")):
    if len(row) == 6:
        peer, op, param, metric, value, _ = row
        values.setdefault((peer, op, param.replace(" lineage_tick", ""), metric), []).append(float(value))


def median(*key):
    found = values.get(key)
    return statistics.median(found) if found else None


def number(x):
    return "-" if x is None else f"{x:,.0f}" if x >= 100 else f"{x:.1f}"


print("| row | kvbm, ns per call | kvbm-logical, ns per call | ratio | target |\n|---|---|---|---|---|")
for op, param, target in TARGETS:
    ours = median(OURS, op, param, "call")
    peer = median(PEER, op.replace("_objects", ""), param.replace(" sha256", ""), "call")
    ratio = peer / ours if ours and peer else None
    verdict = "" if target is None else f"≥ {target}" + ("" if ratio and ratio >= target else ", missed")
    print(f"| {op} {param} | {number(ours)} | {number(peer)} | {'-' if ratio is None else f'{ratio:.2f}'} | {verdict} |")
print("\n| copy of 128 shuffled blocks | kvbm, GB/s | memcpy, GB/s | ratio | target |\n|---|---|---|---|---|")
for size, target in COPIES:
    for op, what in (("copy_blocks", ""), ("copy_blocks_new", ", request made anew")):
        ours, libc = (median(OURS, name, f"bs={size} batch=128 t=1", "rate") for name in (op, "copy_memcpy"))
        ratio = ours / libc if ours and libc else 0
        verdict = "" if what else f"≥ {target}" + ("" if ratio >= target else ", missed")
        print(f"| {size} bytes{what} | {(ours or 0) / 1e9:.2f} | {(libc or 0) / 1e9:.2f} | {ratio:.2f} | {verdict} |")
print("\n| memory | value | unit |\n|---|---|---|")
for (peer, op, param, metric), found in values.items():
    if peer == OURS and metric in ("heap", "rss", "alloc"):
        unit = "bytes per evicted block" if op == "growth" else "bytes per call"
        print(f"| {op} {param}, {metric} | {statistics.median(found):.2f} | {unit} |")
