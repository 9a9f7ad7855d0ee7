#!/usr/bin/env bash
# Runs our benchmarks and NVIDIA's kvbm-logical in turn, so that both see the same machine, and prints the ratio of the
# medians for every row both have. Needs cargo and python3. ROUNDS (2) turns of each; RUNS and RUN_MS as the harnesses
# take them. The lines behind the table stay in $OUT (a temporary folder unless set).
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
cargo build --release --quiet --manifest-path kvbm-logical/Cargo.toml --target-dir "$out/target"
peer="$out/target/release/peer-kvbm-logical"
: >"$out/lines.csv"
for _ in $(seq "${ROUNDS:-2}"); do
    for op in alloc_drop lifecycle match hash; do
        "$peer" "$op" | grep -v 'lru+tinylfu' >>"$out/lines.csv"
    done
    (cd ../.. && mvn -q -Pbench verify) >>"$out/lines.csv"
done
echo "lines: $out/lines.csv" >&2
python3 ratios.py "$out/lines.csv"
