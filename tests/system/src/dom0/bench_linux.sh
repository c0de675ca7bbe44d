# SPDX-License-Identifier: MIT OR Apache-2.0
# Linux rows in dom0 and in a domU, both with the same kernel. The bare machine is the peer of both.
if [ ! $BARE ]; then
    guest bench 10.76.0.9
    bring 10.76.0.9 /xt/bench_linux
fi
for round in $(seq $ROUNDS); do
    turn
    if [ $BARE ]; then
        /xt/bench_linux dom0 | sed 'p; s/-dom0 /-domu /'
    else
        rows fork-exec-dom0 /xt/bench_linux dom0
        rows fork-exec-domu in_guest 10.76.0.9 '/tmp/bench_linux domu 2>&1'
    fi
done
ok bench
