#!/bin/busybox sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The first program in dom0. It speaks to the harness by lines that start with @xt.
/bin/busybox mount -t proc proc /proc
read -r up idle </proc/uptime
echo "@xt-init@ $up"
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root TERM=${TERM:-vt100}
/bin/busybox --install -s
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
# From here on only emergencies and alerts may mix with what scripts print; dmesg has the rest.
dmesg -n 2

# Drivers for what is there, by a modprobe that reads its tables once: for PCI, then for what hangs on the buses that those made.
if [ -e "/lib/modules/$(uname -r)/modules.dep" ]; then
    for pass in 1 2; do modprobe -qa $(cat /sys/bus/*/devices/*/modalias | sort -u); done 2>/dev/null
    case $(cat /sys/class/scsi_host/*/proc_name 2>/dev/null) in ?*) modprobe -q sd_mod;; esac
    if [ "$(cat /sys/hypervisor/type 2>/dev/null)" = xen ]; then
        modprobe -qa xenfs xen-evtchn xen-privcmd xen-gntdev xen-gntalloc
        mount -t xenfs xenfs /proc/xen 2>/dev/null
    fi
    if [ -d /sys/firmware/efi ]; then
        modprobe -q efivarfs
        mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null
    fi
fi

ip link set lo up
# The harness numbers the user networks in the last byte of each MAC.
for nic in /sys/class/net/eth*; do
    [ -e "$nic/address" ] || continue
    read -r mac <"$nic/address"
    ip addr add "10.0.$((0x${mac##*:})).15/24" dev "${nic##*/}"
    ip link set "${nic##*/}" up
done

# Disks with a serial number of the harness's can be found by it.
for disk in /sys/block/vd*; do
    [ -s "$disk/serial" ] && ln -s "${disk##*/}" "/dev/$(cat "$disk/serial")"
done

# dom0's toolkit, if it is here: the bridge, an address and DHCP on it, and the daemons.
if [ -x /usr/sbin/xn ] && grep -q control_d /proc/xen/capabilities 2>/dev/null; then
    modprobe -qa xen-blkback xen-netback loop bridge
    mkdir -p /var/lib /var/log/xen/console /var/cache
    ln -s /run /var/run
    brctl addbr xenbr0
    ip addr add 10.76.0.1/16 dev xenbr0
    ip link set xenbr0 up
    udhcpd -S /etc/udhcpd.conf
    # Whatever a daemon says before it has a log of its own.
    xenstored >>/run/xenstored.out 2>&1 &
    tries=0
    until [ -S /run/xenstored/socket ] || [ $tries -ge 200 ]; do usleep 20000; tries=$((tries + 1)); done
    xenconsoled >>/run/xenconsoled.out 2>&1 &
    xn monitor >>/run/xn-monitor.out 2>&1 &
fi

if [ -e /xt/exec ]; then
    { sh /xt/exec </dev/null 2>&1; echo $? >/run/xt-status; } | awk '{ print "@xt@" $0; fflush() }'
    echo "@xt-exit@ $(cat /run/xt-status)"
else
    echo
    echo "This is dom0: Linux $(uname -r) on $(nproc) CPUs. 'exit' or 'poweroff -f' switches the machine off."
    export PS1='dom0:\w# '
    cd /root
    setsid cttyhack sh
fi
sync
poweroff -f
