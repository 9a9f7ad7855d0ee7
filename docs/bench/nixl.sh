#!/usr/bin/env bash
# NIXL from Java and from C, the same transfers between two processes, in turn so that both see the same machine; and reads
# under a lease with all checksums beside the bare transfer. Needs python3, gcc and cargo, and NIXL_SITE, the site-packages
# with NIXL (default: what nixl/run.sh makes). ROUNDS (7) turns of each; RUNS (3) repetitions of XFER_MS (1) in each turn,
# short ones, as other work on the machine disturbs the long ones of whoever has its turn.
# The lines behind the tables stay in $OUT (a temporary folder unless set).
set -euo pipefail
cd "$(dirname "$0")"
export RUNS="${RUNS:-3}" XFER_MS="${XFER_MS:-1}"
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
: >"$out/lines.csv"
for _ in $(seq "${ROUNDS:-7}"); do
    nixl/run.sh twoproc prog=0 >>"$out/lines.csv"
    (cd ../.. && NIXL_SITE="${NIXL_SITE:-$PWD/docs/bench/nixl/venv}" mvn -q -Pbench -pl kvbm-core verify -Dbench=nixl) >>"$out/lines.csv"
done
echo "lines: $out/lines.csv" >&2
python3 nixl-ratios.py "$out/lines.csv"
