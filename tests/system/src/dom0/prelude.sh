# SPDX-License-Identifier: MIT OR Apache-2.0
# Words for the scripts that system tests run in dom0. What was checked is said in lines `ok WORD...` and `bad WORD...: why`,
# measurements in lines `time WORD SECONDS`; the case on the host judges them.
LOGS=/var/log/xen/console
now() { read -r up rest </proc/uptime; echo "$up"; }
# since START: seconds, with hundredths
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
ok() { echo "ok $*"; }
bad() { echo "bad $*"; }
# check WORD COMMAND...: it must succeed
check() {
    word=$1; shift
    if said=$("$@" 2>&1); then ok "$word"; else bad "$word: status $? of '$*': $(echo "$said" | tail -n 5 | tr '\n' '|')"; fi
}
# shows WORD PATTERN COMMAND...: it must succeed and print a line like that
shows() {
    word=$1 pattern=$2; shift 2
    said=$("$@" 2>&1)
    status=$?
    [ $status = 0 ] && echo "$said" | grep -qE "$pattern" && ok "$word" && return
    bad "$word: status $status of '$*': $(echo "$said" | tail -n 20 | tr '\n' '|')"
}
# same WORD GOT WANTED
same() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: '$2', not '$3'"; fi; }
# within SECONDS COMMAND...: repeats it, silently, until it succeeds
within() {
    read -r up rest </proc/uptime
    last=$((${up%.*} + $1)); shift
    until "$@" >/dev/null 2>&1; do
        read -r up rest </proc/uptime
        [ "${up%.*}" -lt $last ] || return 1
        sleep 0.05
    done
}
# linux NAME MIB VCPUS "KERNEL OPTIONS" ["MORE LINES"]: the configuration /tmp/NAME.cfg of a Debian kernel; SERIES says which
linux() {
    cat >/tmp/$1.cfg <<EOF
name = "$1"
type = "pv"
kernel = "/boot/guest/vmlinuz-${SERIES:-6.1}"
ramdisk = "/boot/guest/initrd-${SERIES:-6.1}"
extra = "console=hvc0 $4"
memory = $2
vcpus = $3
$5
EOF
}
# tiny NAME: the configuration of a PV guest of 4 MiB
tiny() {
    cat >/tmp/$1.cfg <<EOF
name = "$1"
type = "pv"
kernel = "/boot/guest/domu_idle"
memory = 4
vcpus = 1
EOF
}
log() { echo $LOGS/guest-$1.log; }
# says NAME TEXT SECONDS: within so many, the guest has said it on its console
says() { /xt/until $3 "$(log "$1")" "$2"; }
# ready NAME [SECONDS]: a Linux domU's /init is done
ready() { says "$1" @domu-ready@ ${2:-120}; }
# in_guest ADDRESS COMMAND: runs it there by the shell on the bridge
in_guest() { echo "$2" | nc -w 10 "$1" 23; }
answers() { ping -c 1 -W 1 "$1"; }
# at_console SIGN COMMAND...: a domain's console in a terminal, without which some tools listen to nobody. Once SIGN is shown, what is
# typed is done there, and Ctrl-] leaves.
at_console() {
    sign=$1; shift
    : >/tmp/console
    {
        within 30 grep -q "$sign" /tmp/console
        echo 'echo on the $((40 + 2))nd'
        within 30 grep -q 'on the 42nd' /tmp/console
        printf '\035'
    } | timeout -s KILL 90 script -qefc "$*" /tmp/console >/dev/null 2>&1
    same console-left $? 0
    grep -q 'on the 42nd' /tmp/console && ok console || bad "console: $(tr '\n' '|' </tmp/console)"
}
# gone NAME: nothing by that name is listed
gone() { ! xn domid "$1" >/dev/null 2>&1; }
# cpu_times: NAME NANOSECONDS of all domains
cpu_times() { xn list -o json | tr -d '",' | awk '/ name:/ { name = $2 } / cpu_time_ns:/ { print name, $2 }'; }
# room: free memory in MiB. Xenolith's heap counts as free: it has grown to what was needed at once, and keeps that for the next.
room() {
    xn debug-keys l && pages=$(xn dmesg | awk '/ frames: .* of them heap/ { sub(/\(/, "", $12); n = $4 + $12 } END { if (n) print n }')
    [ -n "$pages" ] && echo $((pages / 256)) || xn info free_memory
}
# What of Xenolith's heap is in use, in bytes; 0 on Xen, which does not tell.
heap_in_use() { xn debug-keys l && xn dmesg | awk '/ heap: .* bytes in use/ { n = $3 } END { print n + 0 }'; }
# heap_kept NAME BEFORE: says whether no more of the heap is in use than then, but for what tables keep that have grown once
heap_kept() {
    used=$(heap_in_use)
    [ $((used - $2)) -le 65536 ] && ok $1 || bad "$1: $used bytes of the heap in use, $2 before"
}

# counts: one line for each thing that must not leak
counts() {
    echo "memory $(room)"
    echo "domains $(xn list | tail -n +2 | wc -l)"
    echo "nodes $(xn store ls -f / | grep -vc '/local/domain/0/\(console\|control\)')"
    echo "loops $(ls -d /sys/block/loop*/loop 2>/dev/null | wc -l)"
    echo "vifs $(ls /sys/class/net | grep -c '^vif')"
    echo "interrupts $(grep -c xen-dyn /proc/interrupts)"
    # Xenolith's own account of dom0's grants and ports, and of frames whose owner is gone; Xen prints other things for this key.
    xn debug-keys l && xn dmesg | awk '/ frames: .* the hypervisor/ { orphans = 0 }
        /THERE IS NO SUCH DOMAIN/ { orphans++ }
        / d0 .* grants in use/ { sub(/.*grant frames, /, ""); own = $0 }
        END { print "hypervisor", own, orphans + 0 }'
    for daemon in xenstored xenconsoled xn; do
        for pid in $(pidof $daemon); do echo "fds-$daemon $(ls /proc/$pid/fd | wc -l)"; done
    done
}
# at_rest FILE: the counts, once nothing has changed for three seconds: consoles of those that ended are kept for two
at_rest() { while counts >"$1"; sleep 3; ! counts | cmp -s - "$1"; do :; done; }
# settled FILE: waits until the counts are those of FILE
settled() { within 30 sh -c '. /xt/prelude; counts | cmp - '"$1"; }

# asked: what programs have asked of Xenolith so far, a line for each operation
asked() {
    ${TOOL:-xn} debug-keys p
    ${TOOL:-xn} dmesg | sed -n '/what programs asked for/,$ s/^(XEN)   \([a-z_]* .*: [0-9]*\)$/asked \1/p'
}

# The daemons are up before anything is asked of them.
within 30 ${TOOL:-xn} list || { bad "toolstack: $(cat /run/*.out | tail -n 5)"; exit 1; }
