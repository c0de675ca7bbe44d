# SPDX-License-Identifier: MIT OR Apache-2.0
# A domain under load gets vCPUs and memory, and gives them back.
ip=10.76.0.5
linux g 384 1 "quiet xt.ip=$ip/16 xt.do=hotplug" 'maxvcpus = 4
maxmem = 512
vif = ["bridge=xenbr0"]'
check create xn create -q /tmp/g.cfg
ready g || bad "ready: $(tail -n 5 $(log g))"
within 60 answers $ip && ok ping || bad ping
# Four spinning loops, and one that fills and empties memory.
in_guest $ip 'for i in 1 2 3 4; do (while :; do :; done) </dev/null >/dev/null 2>&1 & done
(while :; do dd if=/dev/zero of=/tmp/load bs=1M count=48 2>/dev/null; rm /tmp/load; done) >/dev/null 2>&1 </dev/null &' >/dev/null
cpus() { [ "$(in_guest $ip 'grep -c ^processor /proc/cpuinfo')" = $1 ]; }
for count in 4 1 3 2 4; do
    check "vcpu-set-$count" xn vcpu-set -i g $count
    within 60 cpus $count && ok "vcpus-$count" || bad "vcpus-$count: $(in_guest $ip 'grep -c ^processor /proc/cpuinfo')"
done
# What the hypervisor gave it, in MiB
owned() { xn list g | awk 'NR == 2 { print $3 }'; }
has() { [ "$(owned)" = $1 ]; }
for mib in 256 384 160 512 200; do
    check "mem-set-$mib" xn mem-set g ${mib}m
    within 90 has $mib && ok "memory-$mib" || bad "memory-$mib: $(owned) MiB"
    total=$(in_guest $ip 'cat /proc/meminfo' | awk '/^MemTotal/ { print int($2 / 1024) }')
    [ "$total" -le $mib ] && [ "$total" -ge $((mib - 110)) ] && ok "guest-sees-$mib" || bad "guest-sees-$mib: $total MiB"
done
xn mem-set g 8g 2>/dev/null && bad "mem-set beyond maxmem was taken" || ok mem-set-beyond
check still-alive answers $ip
check destroy xn destroy g
