#!/usr/bin/env python3
"""Prints a markdown table from `peer,op,param,metric,value,unit` lines of ./run bench of the GPU suite: medians, and ratios
to one copy of as many bytes against targets."""
from lines import median, values, verdict

TARGETS = {"4KiB": 0.6, "64KiB": 0.9, "256KiB": 0.9, "1MiB": 0.9}

print("| transfer of 128 blocks | one copy, GB/s | kvbm, GB/s | least | most | kvbm / one copy | target | by copies | by kernel |"
      " staged |\n|---|---|---|---|---|---|---|---|---|---|")
for op in ("onboard", "offload", "within"):
    for size in ("4KiB", "16KiB", "64KiB", "256KiB", "1MiB"):
        for param in [p for peer, o, p, _ in values if peer == "cuda" and o == op and p.startswith(f"bs={size} ")]:
            copy = median("cuda", op, param, "bandwidth")

            def ratio(way):
                return median("kvbm", op, f"{param} by={way}", "bandwidth") / copy

            found = values["kvbm", op, f"{param} by=default", "bandwidth"]
            goal = TARGETS.get(size) if op != "within" else None
            pieces = param.split("layers=")[1]
            staged = f"{ratio('staged'):.2f}" if op != "within" else ""
            print(f"| {op}, each of {pieces} x {size} | {copy:.1f} | {ratio('default') * copy:.1f} | {min(found):.1f} | "
                  f"{max(found):.1f} | {ratio('default'):.2f} | {verdict(ratio('default'), goal) if goal else ''} | "
                  f"{ratio('copies'):.2f} | {ratio('kernel'):.2f} | {staged} |")
