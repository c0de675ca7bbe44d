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
        /xt/bench_linux dom0 || bad "bench_linux in dom0: $?"
        in_guest 10.76.0.9 '/tmp/bench_linux domu' || bad "bench_linux in a domU: $?"
    fi
done
ok bench
