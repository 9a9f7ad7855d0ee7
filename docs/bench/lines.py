"""The `peer,op,param,metric,value,unit` lines of the file that a script was given, and their medians."""
import csv
import statistics
import sys

values = {}
for row in csv.reader(open(sys.argv[1], errors="replace")):
    if len(row) == 6:
        peer, op, param, metric, value, _ = row
        values.setdefault((peer.split("-")[0], op, param, metric), []).append(float(value))


def median(*key):
    found = values.get(key)
    return statistics.median(found) if found else float("nan")


def verdict(value, target, most=False, unit=""):
    met = value <= target if most else value >= target
    return f"{'≤' if most else '≥'} {target}{unit}{'' if met else ', missed'}"
