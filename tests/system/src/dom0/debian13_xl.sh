# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian 13's xl, of Xen 4.20: what most use of it, on a hypervisor that says it is 4.17.
row() { xl list "$1" | awk 'NR == 2 { print $5 }'; }

same tools "$(echo /usr/lib/xen-4.*)" /usr/lib/xen-4.20
shows info '^xen_version +: 4\.17' xl info
shows info-cpus '^nr_cpus +: 2$' xl info -n
check uptime xl uptime
check claims xl claims
shows list-one '^Domain-0 +0 ' xl list
truncate -s 16M /tmp/disk /tmp/disk2
tiny t
linux g 160 2 "quiet xt.ip=10.76.0.5/16 xt.do=hotplug" "kernel = '/xt/vmlinux'
maxmem = 192
disk = ['/tmp/disk,raw,xvda,w']
vif = ['mac=00:16:3e:00:00:05,bridge=xenbr0']"
check create xl create -q /tmp/g.cfg
start=$(now)
# While it boots: the small one, from start to end
check create-paused xl create -q -p /tmp/t.cfg
same paused "$(row t)" --p---
shows vcpu-list-paused '^t +[0-9]+ +0 .* all / all' xl vcpu-list t
shows list-long '"name": "t",' xl list -l t
check list-verbose xl list -v
shows list-cpupool '^t .*Pool-0' xl list -c
shows cpupool-list '^Pool-0 +2 +credit2' xl cpupool-list
shows cpupool-cpus '^Pool-0 +0,1$' xl cpupool-list -c
check vcpu-pin xl vcpu-pin t 0 1
shows vcpu-pinned '^t +[0-9]+ +0 .* 1 / all' xl vcpu-list t
check vcpu-pin-soft xl vcpu-pin t 0 all 1
check vcpu-unpin xl vcpu-pin t all all all
check sched-credit2 xl sched-credit2 -d t -w 512 -c 50
shows sched-credit2-shown '^t +[0-9]+ +512 +50$' xl sched-credit2 -d t
check unpause xl unpause t
says t 'XENOLITH-DOMU up' 20 && ok tiny || bad "tiny: $(cat $(log t))"
shows domname '^t$' xl domname "$(xl domid t)"
check pause xl pause t
same paused-again "$(row t | tr -d 'rb-')" p
check rename xl rename t u
check unpause-renamed xl unpause u
check destroy xl destroy u
xl domid u >/dev/null 2>&1 && bad destroyed || ok destroyed

ready g 120 && ok ready || bad "ready: $(tail -n 5 $(log g) | tr '\n' '|')"
echo "time ready $(since $start)"
within 20 answers 10.76.0.5 && ok net || bad net
shows vcpu-list '^g +[0-9]+ +1 ' xl vcpu-list g
shows xentop ' g ' sh -c 'xentop -b -i 1 -f | sed "s/^ *\(g\) / \1 /"'
shows network-list '00:16:3e:00:00:05' xl network-list g
shows block-list '^51712 ' xl block-list g
mem() { in_guest 10.76.0.5 "awk '/^MemTotal/ { print \$2 }' /proc/meminfo"; }
before=$(mem)
check mem-set xl mem-set g 128
smaller() { [ "$(($(mem) + 30000))" -lt "$before" ]; }
within 20 smaller && ok mem-seen || bad "mem-seen: $before KiB before, $(mem) after"
check mem-max xl mem-max g 160
check block-attach xl block-attach g /tmp/disk2,raw,xvdb,w
seen() { [ "$(in_guest 10.76.0.5 'cat /sys/block/xvdb/size')" = 32768 ]; }
within 20 seen && ok attach-seen || bad "attach-seen: $(tail -n 5 $(log g) | tr '\n' '|')"
check block-detach xl block-detach g xvdb
check vcpu-set xl vcpu-set g 1
one() { [ "$(in_guest 10.76.0.5 nproc)" = 1 ]; }
within 20 one && ok vcpu-gone || bad "vcpu-gone: $(in_guest 10.76.0.5 nproc)"
# Another pool, with one of the CPUs, and back
check cpupool-cpu-remove xl cpupool-cpu-remove Pool-0 1
check cpupool-create xl cpupool-create 'name="two"'
check cpupool-cpu-add xl cpupool-cpu-add two 1
check cpupool-migrate xl cpupool-migrate g two
shows cpupool-migrated '^g .*two' xl list -c g
check cpupool-migrate-back xl cpupool-migrate g Pool-0
check cpupool-destroy xl cpupool-destroy two
check cpupool-cpu-back xl cpupool-cpu-add Pool-0 1
check sched-parameters xl sched-credit2 -s -p Pool-0 -r 2000
check network-attach xl network-attach g mac=00:16:3e:00:00:06 bridge=xenbr0
interfaces() { [ "$(in_guest 10.76.0.5 'ls /sys/class/net | grep -c ^eth')" = "$1" ]; }
within 30 interfaces 2 && ok network-seen || bad "network-seen: $(in_guest 10.76.0.5 'ls /sys/class/net')"
check network-detach xl network-detach g 1
within 30 interfaces 1 && ok network-gone || bad "network-gone: $(in_guest 10.76.0.5 'ls /sys/class/net')"
check config-update xl config-update g /tmp/g.cfg
at_console '/ #' xl console g
shows create-console 'XENOLITH-DOMU up' sh -c '. /xt/prelude; rm -f "$(log t)"; (says t "XENOLITH-DOMU up" 60; sleep 3; xl destroy t) &
    timeout 60 xl create -c /tmp/t.cfg </dev/null'
check sysrq xl sysrq g h
check dump-core xl dump-core g /tmp/core
same core "$(head -c 4 /tmp/core | tail -c 3)" ELF
rm -f /tmp/core
check trigger xl trigger g nmi 0
check reboot xl reboot g
boots() { [ "$(grep -c @domu-ready@ "$(log g)")" -ge 2 ]; }
within 120 boots && ok rebooted || bad "rebooted: $(tail -n 5 "$(log g)" | tr '\n' '|')"
check debug-keys xl debug-keys h
shows dmesg '\(XEN\)' xl dmesg
check shutdown xl shutdown -w g
alone() { [ "$(xl list | tail -n +2 | wc -l)" = 1 ]; }
within 120 alone && ok list-after || bad "list-after: $(xl list | tr '\n' '|')"
asked
ok end
