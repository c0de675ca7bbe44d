# SPDX-License-Identifier: MIT OR Apache-2.0
# What Debian's xl says and how it ends, command by command. Lines: `step NAME`, its output behind `| `, `status NAME NUMBER`.
# The case on the host compares those of two hypervisors.
# step NAME COMMAND...: runs it, for four minutes at most
step() {
    name=$1; shift
    echo "step $name"
    timeout 240 "$@" >/tmp/said 2>&1 </dev/null
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
    until "$@" >/dev/null 2>&1 || [ $tries -ge 240 ]; do sleep 1; tries=$((tries + 1)); done
    echo "status $name $((tries >= 240))"
}
# value NAME TEXT: something looked at, literally
value() { echo "step $1"; echo "= $2"; echo "status $1 0"; }
named() { xl domid "$1"; }
unnamed() { ! xl domid "$1"; }
vcpus_are() { [ "$(xl vcpu-list g | awk 'NR > 1 && $4 != "-"' | wc -l)" = "$1" ]; }
kib_are() { [ "$(xl list g | awk 'NR == 2 { print $3 }')" = "$1" ]; }
boots_are() { [ "$(grep -c @domu-ready@ $(log g))" -ge "$1" ]; }
backend() { xenstore-read "/local/domain/0/backend/$1/$(xl domid g)/$2/state"; }
connected() { [ "$(backend $1 $2)" = 4 ]; }

tiny t
tiny c
truncate -s 16M /tmp/disk
truncate -s 8M /tmp/more
linux g 160 2 "quiet sysrq_always_enabled" "kernel = '/xt/vmlinux'
maxvcpus = 2
maxmem = 192
disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0,mac=00:16:3e:00:00:05']"
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
step unpause xl unpause t
state tiny-up says t 'XENOLITH-DOMU up' 1
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

step create xl create /tmp/g.cfg
state ready ready g 1
step list xl list
step list-long xl list -l g
step list-verbose xl list -v
step list-cpupool xl list -c
step list-numa xl list -n
step vcpu-list xl vcpu-list
step vcpu-list-all xl vcpu-list g
step xentop xentop -b -i 1 -f
step xentop-all xentop -b -i 1 -n -x -v -d 1
echo "step console"
at_console '/ #' xl console g >/tmp/said
sed 's/^/| /' /tmp/said
echo "status console $(grep -c '^bad' /tmp/said)"
step uptime-guest xl uptime -s g
step mem-set xl mem-set g 128
state mem-is-set kib_are 128
step mem-max xl mem-max g 176
step mem-max-bad xl mem-max nobody 176
step vcpu-set xl vcpu-set g 1
state vcpus-set vcpus_are 1
step vcpu-set-bad xl vcpu-set g 3
step vcpu-pin xl vcpu-pin g 1 0
step vcpu-pin-soft xl vcpu-pin g 0 all 1
step vcpu-pinned xl vcpu-list g
step vcpu-pin-bad xl vcpu-pin g 9 0
step vcpu-unpin xl vcpu-pin g all all all
step sched xl sched-credit2
step sched-set xl sched-credit2 -d g -w 512 -c 150
step sched-shown xl sched-credit2 -d g
step sched-uncapped xl sched-credit2 -d g -c 0
step sched-bad xl sched-credit2 -d g -w 0
step sched-parameters xl sched-credit2 -s
step sched-parameters-set xl sched-credit2 -s -p Pool-0 -r 2000
step cpupool-list xl cpupool-list
step cpupool-cpus xl cpupool-list -c
step cpupool-none xl cpupool-list nothing
step cpupool-cpu-remove xl cpupool-cpu-remove Pool-0 1
step cpupool-create xl cpupool-create 'name="two"'
step cpupool-cpu-add xl cpupool-cpu-add two 1
step cpupool-list-two xl cpupool-list -c
step cpupool-migrate xl cpupool-migrate g two
step cpupool-migrated xl list -c g
step cpupool-pinned xl vcpu-list g
step cpupool-destroy-used xl cpupool-destroy two
step cpupool-migrate-back xl cpupool-migrate g Pool-0
step cpupool-rename xl cpupool-rename two three
step cpupool-destroy xl cpupool-destroy three
step cpupool-cpu-back xl cpupool-cpu-add Pool-0 1
step cpupool-whole xl cpupool-list
step block-list xl block-list g
step block-attach xl block-attach g /tmp/more,raw,xvdb,w
state block-attached connected vbd 51728
step block-attach-again xl block-attach g /tmp/more,raw,xvdb,w
step block-list-two xl block-list g
step block-detach xl block-detach g xvdb
step block-detach-none xl block-detach g xvdz
step network-list xl network-list g
step network-attach xl network-attach g mac=00:16:3e:00:00:06 bridge=xenbr0
state network-attached connected vif 1
step network-list-two xl network-list g
step network-detach xl network-detach g 1
step create-console timeout 120 sh -c '. /xt/prelude; (says c "XENOLITH-DOMU up" 60; sleep 3; xl destroy c) &
    xl create -c /tmp/c.cfg </dev/null | grep -o "XENOLITH-DOMU up"'
step config-update xl config-update g /tmp/g.cfg
step trigger-button xl trigger g power
step trigger-unknown xl trigger g nonsense
step trigger xl trigger g nmi 0
step sysrq xl sysrq g s
step dump-core xl dump-core g /tmp/core
value core "$(head -c 4 /tmp/core | tail -c 3)"
rm -f /tmp/core
step reboot xl reboot g
state rebooted boots_are 2
step domid-after-reboot xl domid g
step shutdown xl shutdown -w g
state gone unnamed g
step list-end xl list
for command in sharing numainfo vm-list getenforce psr-hwinfo pci-assignable-list "sched-credit" "sched-rtds" "set-parameters loglvl=all"; do
    step "$(echo $command | tr ' ' '-')" xl $command
done
asked
echo "step end"
echo "status end 0"
