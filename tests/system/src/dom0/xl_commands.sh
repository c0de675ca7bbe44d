# SPDX-License-Identifier: MIT OR Apache-2.0
# What Debian's xl says and how it ends, command by command. Lines: `step NAME`, its output behind `| `, `status NAME NUMBER`.
# The case on the host compares those of two hypervisors.
# step NAME COMMAND...: runs it, for a minute at most
step() {
    name=$1; shift
    echo "step $name"
    timeout 60 "$@" >/tmp/said 2>&1 </dev/null
    status=$?
    sed 's/^/| /' /tmp/said
    echo "status $name $status"
}
# state NAME COMMAND...: waits until it is true, and says whether it came true
state() {
    name=$1; shift
    echo "step $name"
    tries=0
    # What waits must leave the machine to what it waits for.
    until "$@" >/dev/null 2>&1 || [ $tries -ge 60 ]; do sleep 1; tries=$((tries + 1)); done
    echo "status $name $((tries >= 60))"
}

tiny t
for kind in hvm pvh; do tiny $kind; sed -i "s/^type.*/type = \"$kind\"/" /tmp/$kind.cfg; done

step info xl info
step info-numa xl info -n
step uptime xl uptime
step dmesg sh -c 'xl dmesg >/tmp/dmesg && [ -s /tmp/dmesg ]'
step claims xl claims
step debug-keys xl debug-keys h
step debug-keys-none xl debug-keys
step list-one xl list
step list-nobody xl list nobody

step create-paused xl create -p /tmp/t.cfg
step list-paused xl list t
step vcpu-list-paused xl vcpu-list t
step list-verbose xl list -v
step list-cpupool xl list -c
step list-numa xl list -n
step xentop xentop -b -i 1 -f
step vcpu-pin xl vcpu-pin t 0 1
step vcpu-pin-soft xl vcpu-pin t 0 all 1
step vcpu-pinned xl vcpu-list t
step vcpu-pin-bad xl vcpu-pin t 9 0
step vcpu-set-bad xl vcpu-set t 3
step unpause xl unpause t
state tiny-up said t 'XENOLITH-DOMU up'
step create-twice xl create /tmp/t.cfg
step domid xl domid t
step domname xl domname 1
step domname-none xl domname 999
step pause xl pause t
step rename xl rename t u
step list-renamed xl list u
step rename-taken xl rename u Domain-0
step sysrq-none xl sysrq nobody s
step unpause-renamed xl unpause u
step destroy xl destroy u
step destroyed xl domid u
step destroy-dom0 xl destroy 0
step create-hvm xl create /tmp/hvm.cfg
step create-pvh xl create /tmp/pvh.cfg
step list-after xl list

step mem-max-bad xl mem-max nobody 176
echo "step end"
echo "status end 0"
