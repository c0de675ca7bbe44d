#!/bin/busybox sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The first program in a Linux domU. It speaks to the harness by lines that start with @domu, on the console, and does what the
# kernel's command line says:
#   xt.ip=ADDRESS/BITS   gives eth0 that address; commands are taken on TCP port 23
#   xt.root=DEVICE       goes on with the system on that disk
#   xt.do=WORD           panic: crashes at once. exit, reboot: ends so. hotplug: loads the drivers of devices that may come
#                        later, and uses CPUs that do
/bin/busybox mount -t proc proc /proc
read -r up idle </proc/uptime
echo "@domu-init@ $up"
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
# What the kernel starts when the toolstack asks it to end: no init is here that would hear busybox's own programs.
for end in poweroff reboot; do
    rm -f /sbin/$end
    printf '#!/bin/busybox sh\nexec /bin/busybox %s -f\n' $end >/sbin/$end
    chmod 755 /sbin/$end
done
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
read -r words </proc/cmdline
for word in $words; do
    case $word in
    xt.ip=*) ip=${word#*=} ;;
    xt.root=*) root=${word#*=} ;;
    xt.do=*) do=${word#*=} ;;
    esac
done
case $do in
panic) echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger ;;
exit) poweroff -f ;;
reboot) reboot -f ;;
hotplug)
    modprobe xen-blkfront; modprobe xen-netfront
    while sleep 1; do
        for cpu in /sys/devices/system/cpu/cpu*/online; do
            [ "$(cat "$cpu" 2>/dev/null)" = 0 ] && echo 1 >"$cpu"
        done 2>/dev/null
    done &
    ;;
esac
cat /sys/bus/xen/devices/*/modalias 2>/dev/null | sort -u | while read -r alias; do modprobe -q "$alias"; done

# await SECONDS COMMAND...: repeats it until it succeeds
await() {
    left=$(($1 * 50)); shift
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "@domu-late@ $*"; return 1; }
        usleep 20000
    done
}
if [ -n "$root" ]; then
    modprobe ext4
    await 60 [ -b "$root" ]
    mount "$root" /mnt || exec sh
    mount --move /dev /mnt/dev
    umount /sys /proc /tmp
    exec switch_root /mnt /sbin/init
fi
ip link set lo up
if [ -n "$ip" ]; then
    await 60 [ -e /sys/class/net/eth0 ]
    ip addr add "$ip" dev eth0
    ip link set eth0 up
    nc -ll -p 23 -e sh &
fi
echo "@domu-ready@ $(nproc) $(awk '/^MemTotal/ { print $2 }' /proc/meminfo)"
# A shell on the console, for whoever attaches; without one this process may not end.
while :; do setsid cttyhack sh; sleep 1; done
