#!/bin/sh
# What the starter adds to the start of a web application: an empty one without kvbm on the classpath, and the same with
# a host level of 2 GiB, which is reserved in the background and not waited for. Alternating, in fresh JVMs; prints the
# medians of the milliseconds from the start of the JVM until the application was ready, and of those in which the starting
# thread was on a processor, which hardly depends on what else the machine does.
#
# Needs a JDK 25 in JAVA_HOME; RUNS is 11 unless set.
set -eu
cd "$(dirname "$0")/../.."
runs=${RUNS:-11}
java=${JAVA_HOME:?is to be a JDK 25}/bin/java
with=$(mvn -o -q test-compile exec:exec -pl kvbm-core,kvbm-spring-boot-starter -Dexec.executable=echo \
    -Dexec.args=%classpath -Dexec.classpathScope=test | grep 'kvbm-spring-boot-starter/target/test-classes' | tail -n 1)
without=$(echo "$with" | tr ':' '\n' | grep -v -e '/kvbm-core/target/' -e '/kvbm-spring-boot-starter/target/classes' \
    -e '/hash4j/' | paste -s -d: -)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

start() { # name, classpath, arguments
    name=$1
    classpath=$2
    shift 2
    "$java" --enable-native-access=ALL-UNNAMED -Xmx1g -cp "$classpath" io.kvbm.spring.boot.StartupMain --server.port=0 \
        "$@" >"$out/log"
    sed -n 's/^started //p' "$out/log" >>"$out/$name"
}

median() { # name, column
    sort -n -k "$2" "$out/$1" | sed -n "$(((runs + 1) / 2))p" | cut -d' ' -f "$2"
}

run=0
while [ "$run" -le "$runs" ]; do
    start empty "$without"
    start kvbm "$with" --kvbm.model.layers=32 --kvbm.model.heads=8 --kvbm.model.head-dim=128 \
        --kvbm.model.page-size=16 --kvbm.host.size=2GB
    [ "$run" -gt 0 ] || rm "$out/empty" "$out/kvbm" # the first pair fills the page cache
    run=$((run + 1))
done
paste "$out/empty" "$out/kvbm" | sed 's/^/empty, kvbm (elapsed busy): /'
echo "median of $runs starts, elapsed: empty $(median empty 1) ms, with kvbm $(median kvbm 1) ms," \
    "difference $(($(median kvbm 1) - $(median empty 1))) ms"
echo "median of $runs starts, starting thread busy: empty $(median empty 2) ms, with kvbm $(median kvbm 2) ms," \
    "difference $(($(median kvbm 2) - $(median empty 2))) ms"
