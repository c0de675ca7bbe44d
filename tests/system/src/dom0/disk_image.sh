# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs on the disk's Debian, typed at its console, where the kernel shall not interrupt. $wanted is the firmware.
dmesg -n 1
{
    echo "time to-login $(cut -d' ' -f1 /proc/uptime)"
    state=$(systemctl is-system-running --wait)
    echo "time to-running $(cut -d' ' -f1 /proc/uptime)"
    . /run/prelude
    same running "$state" running
    failed=$(systemctl --failed --plain --no-legend)
    same nothing-failed "$failed" ''
    [ -z "$failed" ] || journalctl -b --no-pager -p warning
    same type "$(cat /sys/hypervisor/type)" xen
    case $(cat /sys/hypervisor/version/extra) in -xenolith*) ok extra ;; *) bad extra ;; esac
    [ -d /sys/firmware/efi ] && firmware=uefi || firmware=bios
    same firmware $firmware $wanted
    # What only update-grub writes: the root file system by its UUID.
    check entry grep -q "root=UUID=$(findmnt -no UUID /) ro" /proc/cmdline
    for unit in xenstored xenconsoled xn-monitor; do
        same $unit "$(systemctl is-active $unit)" active || systemctl status --no-pager $unit
    done
    check dom0-listed sh -c 'xn list | grep -q "^Domain-0 "'
    tiny idle
    sed -i s,/boot/guest/,/run/, /tmp/idle.cfg
    check create xn create -q /tmp/idle.cfg
    check guest sh -c 'xn list | grep -q "^idle "'
    check destroy xn destroy idle
    dmesg -r --level=emerg,alert,crit,err
} 2>&1 | sed -u 's/^/@xt@/'
systemctl poweroff
