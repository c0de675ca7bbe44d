# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian's libvirt on Debian's libxl: what virsh says of domains it makes, changes and ends, and what it is told of them.
export TERM=dumb LANG=C LIBVIRT_DEFAULT_URI=xen:///
mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
printf 'root:x:0:\ntty:x:5:\n' >/etc/group
# Neither polkit nor a group libvirt is here: whoever may open the socket may do everything.
cat >/etc/libvirt/libvirtd.conf <<EOF
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:/var/log/libvirt/daemon.log"
EOF
# refuses WORD PATTERN COMMAND...: it must fail, saying that
refuses() {
    word=$1 pattern=$2; shift 2
    if said=$("$@" 2>&1); then bad "$word: '$*' succeeded"; elif echo "$said" | grep -qE "$pattern"; then ok "$word"; else bad "$word: $said"; fi
}
is() { [ "$(virsh domstate $1)" = "$2" ]; }

start=$(now)
libvirtd >/tmp/daemon.out 2>&1 &
within 60 virsh list && ok daemon || { bad "daemon: $(virsh list 2>&1; tail -n 20 /tmp/daemon.out /var/log/libvirt/daemon.log)"; exit 1; }
echo "time daemon $(since $start)"
virsh event --all --loop --timestamp >/tmp/events 2>&1 &
events=$!

check version virsh version --daemon
shows nodeinfo '^CPU\(s\): +2$' virsh nodeinfo
shows capabilities '<arch name=.x86_64.>' virsh capabilities
shows list-one '^ 0 +Domain-0 +running$' virsh list --all

truncate -s 16M /tmp/disk
losetup /dev/loop0 /tmp/disk
cat >/tmp/g.xml <<EOF
<domain type='xen'>
  <name>g</name>
  <uuid>6a9eb68c-7b47-467a-a9e3-b55ce554ac0e</uuid>
  <memory unit='MiB'>192</memory>
  <currentMemory unit='MiB'>160</currentMemory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='xenpv'>linux</type>
    <kernel>/xt/vmlinux</kernel>
    <initrd>/boot/guest/initrd-6.1</initrd>
    <cmdline>console=hvc0 quiet xt.ip=10.76.0.5/16 xt.do=hotplug</cmdline>
  </os>
  <devices>
    <disk type='block' device='disk'>
      <driver name='phy' type='raw'/>
      <source dev='/dev/loop0'/>
      <target dev='xvda' bus='xen'/>
    </disk>
    <interface type='bridge'>
      <mac address='00:16:3e:00:00:05'/>
      <source bridge='xenbr0'/>
    </interface>
    <console type='pty'><target type='xen' port='0'/></console>
  </devices>
</domain>
EOF
cat >/tmp/t.xml <<EOF
<domain type='xen'>
  <name>t</name>
  <memory unit='MiB'>4</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='xenpv'>linux</type><kernel>/boot/guest/domu_idle</kernel></os>
</domain>
EOF

# A Linux from its definition to its end
shows define 'Domain .?g.? defined' virsh define /tmp/g.xml
shows list-defined '^ - +g +shut off$' virsh list --all
shows start 'Domain .?g.? started' virsh start g
start=$(now)
# While it boots: the small one, started paused, and ended by force
check define-tiny virsh define /tmp/t.xml
check start-paused virsh start t --paused
is t paused && ok paused-at-start || bad "paused-at-start: $(virsh domstate t)"
check resume-tiny virsh resume t
says t 'XENOLITH-DOMU up' 20 && ok tiny || bad "tiny: $(cat $(log t))"
refuses start-twice 'already active' virsh start t
refuses undefined 'failed to get domain' virsh start nobody
check destroy virsh destroy t
# Without a definition: it is forgotten with its end.
check create-transient sh -c 'virsh undefine t && virsh create /tmp/t.xml'
shows transient '^Persistent: +no$' virsh dominfo t
check destroy-transient virsh destroy t
refuses transient-gone 'failed to get domain' virsh dominfo t

ready g 120 && ok ready || bad "ready: $(tail -n 5 $(log g) | tr '\n' '|')"
echo "time ready $(since $start)"
shows domid '^[1-9][0-9]*$' virsh domid g
check dominfo-said sh -c 'virsh dominfo g >/tmp/dominfo'
shows dominfo '^State: +running$' cat /tmp/dominfo
shows dominfo-cpus '^CPU\(s\): +2$' cat /tmp/dominfo
shows dominfo-time '^CPU time: +[0-9.]+s$' cat /tmp/dominfo
shows dominfo-memory '^Used memory: +163840 KiB$' cat /tmp/dominfo
shows dominfo-max '^Max memory: +196608 KiB$' cat /tmp/dominfo
# One that has just woken up and waits for a CPU is neither running nor blocked.
vcpuinfo() { [ "$(virsh vcpuinfo g | grep -cE '^(VCPU: +[01]|State: +(running|blocked)|CPU Affinity: +yy)$')" = 6 ]; }
within 20 vcpuinfo && ok vcpuinfo || bad "vcpuinfo: $(virsh vcpuinfo g | tr '\n' '|')"
check vcpupin virsh vcpupin g 1 0
same vcpuinfo-pinned "$(virsh vcpuinfo g | awk '/^CPU Affinity/ { print $3 }' | tr '\n' ' ')" "yy y- "
shows dumpxml "<target dev='xvda' bus='xen'/>" virsh dumpxml g
within 20 answers 10.76.0.5 && ok net || bad net

at_console 'Escape character' virsh console g

# Memory by its balloon
mem() { in_guest 10.76.0.5 "awk '/^MemTotal/ { print \$2 }' /proc/meminfo"; }
before=$(mem)
check setmem virsh setmem g 131072 --live
smaller() { [ "$(($(mem) + 30000))" -lt "$before" ]; }
within 20 smaller && ok setmem-seen || bad "setmem-seen: $before KiB before, $(mem) after"
shown() { virsh dominfo g | grep -qE '^Used memory: +131072 KiB$'; }
within 20 shown && ok setmem-shown || bad "setmem-shown: $(virsh dominfo g | tr '\n' '|')"

# Stopped and going on, then down in order
check suspend virsh suspend g
answers 10.76.0.5 >/dev/null && bad silent || ok silent
check resume virsh resume g
is g running && ok resumed || bad "resumed: $(virsh domstate g)"
within 20 answers 10.76.0.5 && ok answers || bad answers
refuses setmem-beyond 'higher than max memory' virsh setmem g 999999 --live
check shutdown virsh shutdown g
within 60 is g "shut off" && ok shut-down || bad "shut-down: $(virsh domstate g) $(tail -n 3 $(log g))"
shows reason '^shut off \(shutdown\)$' virsh domstate g --reason
# It is "shut off" a moment before that is told.
within 20 grep -q "'g': Stopped" /tmp/events
check undefine virsh undefine g
refuses undefined-gone 'failed to get domain' virsh dominfo g
same list-none "$(virsh list --all --name | tr '\n' ' ')" "Domain-0  "

# Everything was told, in its order.
within 20 grep -q "'g': Undefined" /tmp/events
kill $events
told() { sed -n "s/^20[0-9-]* [0-9:.+]*: event 'lifecycle' for domain '$1': //p" /tmp/events | tr '\n' ';'; }
same events-g "$(told g)" "Defined Added;Started Booted;Suspended Paused;Resumed Unpaused;Stopped Shutdown;Undefined Removed;"
same events-t "$(told t)" "Defined Added;Started Booted;Resumed Unpaused;Stopped Destroyed;Undefined Removed;Started Booted;Stopped Destroyed;"
asked
ok end
