#!/usr/bin/env bash
# Reads from another process: ours with all its looks, libc's memcpy over the same mapping, and NIXL with UCX between two
# processes, in turn so that all see the same machine; and lookups with 64 peers beside those in the own pool. Needs
# python3, gcc and cargo. ROUNDS (2) turns of each; RUNS and RUN_MS as the harnesses take them. The lines behind the tables
# stay in $OUT (a temporary folder unless set).
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
: >"$out/lines.csv"
for _ in $(seq "${ROUNDS:-2}"); do
    nixl/run.sh twoproc prog=0 >>"$out/lines.csv"
    (cd ../.. && mvn -q -Pbench -pl kvbm-core verify -Dbench=remote,index) >>"$out/lines.csv"
done
echo "lines: $out/lines.csv" >&2
python3 remote-ratios.py "$out/lines.csv"
