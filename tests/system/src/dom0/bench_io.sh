# SPDX-License-Identifier: MIT OR Apache-2.0
# Disks and the network, in dom0 and in a domU: two disks of the machine's, /dev/vda dom0's own, /dev/vdb the domU's.
if [ ! $BARE ]; then
    guest bench 10.76.0.9 "disk = ['phy:/dev/vdb,xvda,w']"
    bring 10.76.0.9 /xt/bench_io
    in_guest 10.76.0.9 '/tmp/bench_io serve 5998 </dev/null >/tmp/serve 2>&1 &'
fi
for round in $(seq $ROUNDS); do
    turn
    if [ $BARE ]; then
        /xt/bench_io disk dom0 /dev/vda | sed 'p; s/-dom0 /-domu /'
        continue
    fi
    rows disk-random-4K-dom0 /xt/bench_io disk dom0 /dev/vda
    rows disk-random-4K-domu in_guest 10.76.0.9 '/tmp/bench_io disk domu /dev/xvda 2>&1'
    rows tcp-byte-to-domu-and-back /xt/bench_io tcp 10.76.0.9:5998
done
ok bench
