# SPDX-License-Identifier: MIT OR Apache-2.0
# Our tools in place of Debian's on real Xen: domains come up, have their devices, and leave nothing.
truncate -s 16M /tmp/disk
linux g 160 2 "quiet xt.ip=10.76.0.5/16 xt.do=hotplug" "maxvcpus = 2
maxmem = 192
disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0']"
tiny t
check first xn create -q /tmp/g.cfg
ready g 240 || bad "ready: $(tail -n 5 $(log g) | tr '\n' '|')"
check first-destroy xn destroy g
rm -f "$(log g)"
at_rest /tmp/before
check create xn create -q /tmp/g.cfg
check create-tiny xn create -q /tmp/t.cfg
ready g 240 && ok ready || bad "ready: $(tail -n 5 $(log g) | tr '\n' '|')"
within 60 answers 10.76.0.5 && ok ping || bad ping
says t 'XENOLITH-DOMU up' 20 && ok tiny || bad tiny
same cpus "$(in_guest 10.76.0.5 nproc)" 2
same disk "$(in_guest 10.76.0.5 'dd if=/dev/urandom of=/tmp/x bs=1M count=8 2>/dev/null; dd if=/tmp/x of=/dev/xvda bs=1M conv=fsync 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/xvda bs=1M count=8 2>/dev/null | cmp - /tmp/x && echo equal')" equal
check list xn list
same states "$(xn list | tail -n +2 | wc -l)" 3
check pause xn pause t
same paused "$(xn list t | awk 'NR == 2 { print $5 }' | grep -c p)" 1
check unpause xn unpause t
check mem-set xn mem-set g 128m
check info xn info
check dmesg xn dmesg
check vcpu-list xn vcpu-list
truncate -s 8M /tmp/disk2
check block-attach xn block-attach g /tmp/disk2,raw,xvdb,w
seen() { in_guest 10.76.0.5 'cat /sys/block/xvdb/size' | grep -q 16384; }
within 20 seen && ok hot-disk || bad "hot-disk: $(tail -n 5 $(log g) | tr "\n" "|")"
check block-detach xn block-detach g xvdb
check destroy xn destroy g
check destroy-tiny xn destroy t
settled /tmp/before && ok clean || { counts >/tmp/after; bad "clean: $(diff /tmp/before /tmp/after | tr '\n' '|')"; }
