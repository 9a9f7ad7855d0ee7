#!/usr/bin/env python3
"""Prints markdown tables from `peer,op,param,metric,value,unit` lines of nixl.sh: medians and ratios against targets."""
from lines import median, verdict


def target(size, batch):
    return 0.8 if size == "4KiB" and batch == 128 else 0.95 if size != "4KiB" else None


print("| transfer | how | from Java, us | from C, us | C / Java | target | from Java, bytes allocated | target |"
      "\n|---|---|---|---|---|---|---|---|")
for op in ("READ", "WRITE"):
    for size in ("4KiB", "64KiB", "1MiB"):
        for batch in (1, 16, 128):
            for how in ("prepped", "repost"):
                param = f"twoproc {how} bs={size} batch={batch} prog=0"
                mine, theirs = median("kvbm", op, param, "latency"), median("nixl", op, param, "latency")
                ratio, goal = theirs / mine, target(size, batch)
                alloc = median("kvbm", op, param, "alloc")
                print(f"| {op} {batch} x {size} | {how} | {mine:,.1f} | {theirs:,.1f} | {ratio:.2f} | "
                      f"{verdict(ratio, goal) if goal else ''} | {alloc:,.0f} | "
                      f"{verdict(alloc, 0, most=True) if how == 'repost' else ''} |")

param = "twoproc bs=1MiB batch=128 prog=0"
leased, bare = (median("kvbm", op, param, "latency") / 1e3 for op in ("leased_read", "bare_read"))
over = (leased / bare - 1) * 100
print("\n| read | with lease and checksums, ms | bare transfer, ms | more | target |\n|---|---|---|---|---|")
print(f"| 128 x 1MiB | {leased:,.1f} | {bare:,.1f} | {over:.0f} % | {verdict(over, 70, most=True, unit=' %')} |")
