# SPDX-License-Identifier: MIT OR Apache-2.0
# Linux rows in dom0 and in a domU, both with the same kernel. The bare machine is the peer of both.
if [ ! $BARE ]; then
    guest bench 10.76.0.9
    bring 10.76.0.9 /xt/bench_linux
fi
# A turn for each row: what else the host does comes and goes within seconds.
for round in $(seq $ROUNDS); do
    for row in getpid clock_gettime pipe signal mmap-16-pages page-fault fork-wait fork-exec; do
        turn
        if [ $BARE ]; then
            /xt/bench_linux dom0 $row | sed 'p; s/-dom0 /-domu /'
        else
            rows $row-dom0 /xt/bench_linux dom0 $row
            rows $row-domu in_guest 10.76.0.9 "/tmp/bench_linux domu $row 2>&1"
        fi
    done
done
ok bench
