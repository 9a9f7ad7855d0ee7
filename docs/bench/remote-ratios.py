#!/usr/bin/env python3
"""Prints markdown tables from `peer,op,param,metric,value,unit` lines of remote.sh: medians and ratios against targets."""
import statistics

from lines import median, values, verdict


def ours(op, size, batch, mode="", metric="call"):
    return median("kvbm", op, f"bs={size} batch={batch}{mode} t=1", metric)


SIZES = [(4096, "4KiB", 0.9, 3.5), (65536, "64KiB", 0.95, None), (1048576, "1MiB", 0.95, 1.5)]

print("| 128 shuffled blocks of | memcpy, us | bare copy, us | unchecked | sampled | full checksum | memcpy / sampled | target |"
      " sampled / bare copy | target |\n|---|---|---|---|---|---|---|---|---|---|")
for size, name, target, _ in SIZES:
    memcpy, bare = ours("remote_memcpy", size, 128), ours("remote_copy", size, 128)
    modes = [ours("remote_read", size, 128, f" {mode}") for mode in ("unchecked", "sampled", "full")]
    over = modes[1] / bare
    print(f"| {name} | {memcpy / 1e3:,.0f} | {bare / 1e3:,.0f} | " + " | ".join(f"{m / 1e3:,.0f}" for m in modes)
          + f" | {memcpy / modes[1]:.2f} | {verdict(memcpy / modes[1], target)} | {over:.3f} | "
          + (verdict(over, 1.15, most=True) if size > 4096 else "") + " |")

print("\n| read | kvbm, us | NIXL/UCX prepared, us | NIXL/UCX made anew, us | prepared / kvbm | target |\n|---|---|---|---|---|---|")
for size, name, _, target in SIZES:
    for batch in (128, 1):
        mine = ours("remote_read", size, batch, " sampled", "latency") / 1e3
        if mine != mine:
            continue
        prepared, made = (median("nixl", "READ", f"twoproc {how} bs={name} batch={batch} prog=0", "latency")
                          for how in ("prepped", "create"))
        goal = verdict(prepared / mine, target) if target and batch == 128 else verdict(mine, 1.5, most=True) + " us" \
            if size == 4096 else ""
        print(f"| {batch} x {name} | {mine:,.2f} | {prepared:,.2f} | {made:,.2f} | {prepared / mine:.2f} | {goal} |")

print("\n| lookup of 128 blocks | 64 peers, ns | own pool, ns | ratio | target |\n|---|---|---|---|---|")
for op in ("index_hit", "index_miss"):
    for (peer, name, param, metric), found in sorted(values.items()):
        if name == op and metric == "call":
            pool = median("kvbm", f"{op}_own_pool", param.replace("in 64 peers", "in own pool"), "call")
            mine = statistics.median(found)
            print(f"| {op} {param} | {mine:,.0f} | {pool:,.0f} | {mine / pool:.2f} | {verdict(mine / pool, 2, most=True)} |")
