# SPDX-License-Identifier: MIT OR Apache-2.0
# Memory that the hypervisor takes, and CPU time of a machine that does nothing. MACHINE_MIB says how much there is; a frame's entries
# in the frame table (32 bytes, here and in Xen) and in the machine-to-phys table (8) are left out.
free_mib() { xn info free_memory; }
dom0_mib() { xn list | awk '$2 == 0 { print $3 }'; }
free=$(free_mib)
awk -v machine=$MACHINE_MIB -v free=$free -v dom0=$(dom0_mib) 'BEGIN {
    printf "bench memory-beyond-tables MiB %.2f\n", machine - free - dom0 - machine * 256 * 40 / 1048576 }'
idle() { # a turn in which nothing is done: the host looks at QEMU's CPU time
    turn
    echo "idle $1"
    sleep 10
    turn
}
sleep 5
idle idle-no-domus
for n in $(seq 64); do
    tiny t$n
    xn create -q /tmp/t$n.cfg || bad "create t$n"
    [ $n = 30 ] || continue
    sleep 5
    idle idle-30-domus
done
turn
awk -v before=$free -v after=$(free_mib) 'BEGIN { printf "bench memory-per-domu KiB %.0f\n", (before - after - 64 * 4) * 1024 / 64 }'
xn destroy $(seq 64 | sed s/^/t/) || bad destroy-all
ok bench
