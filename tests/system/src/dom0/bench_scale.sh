# SPDX-License-Identifier: MIT OR Apache-2.0
# What the Nth domain costs: its creation, a byte to its console and back, its end.
measure() { # measure ROW COMMAND...: as a row in ms
    row=$1; shift
    said=$(/xt/stopwatch $row "$@") || bad "$row: $said"
    echo "$said" | awk '/^time/ { printf "bench %s ms %.3f\n", $2, $3 * 1000 }'
}
here=0
for count in 1 8 64 256; do
    while [ $((here + 1)) -lt $count ]; do
        here=$((here + 1))
        tiny t$here
        xn create -q /tmp/t$here.cfg || bad "create t$here"
    done
    here=$count
    tiny t$here
    for round in $(seq $ROUNDS); do
        turn
        for again in 1 2 3; do
            [ $again$round = 11 ] || measure destroy-$count xn destroy t$here
            measure create-$count xn create -q /tmp/t$here.cfg
        done
        says t$here 'XENOLITH-DOMU up' 20 || bad "t$here is not up"
        id=$(xn domid t$here)
        rows console-byte-$count /xt/bench_io console console-byte-$count "$(xn store read /local/domain/$id/console/tty)"
    done
done
xn destroy $(seq $here | sed s/^/t/) || bad destroy-all
ok bench
