# SPDX-License-Identifier: MIT OR Apache-2.0
# Two domUs with Debian's userland on disks of their own: boot, network, disk, and a death in the middle of writing.
one=10.76.0.5; two=10.76.0.6
size=67108864
debian() { # debian NAME DISK MAC-END
    linux $1 288 1 "quiet xt.root=/dev/xvda xt.shell systemd.hostname=$1" "disk = ['phy:/dev/$2,xvda,w']
vif = ['mac=00:16:3e:00:00:$3,bridge=xenbr0']"
}
debian deb1 demo-disk 05
debian deb2 demo-disk-2 06
start=$(now)
check create-1 xn create -q /tmp/deb1.cfg
check create-2 xn create -q /tmp/deb2.cfg
up() { [ "$(in_guest $1 'echo here')" = here ]; }
for guest in 1:$one 2:$two; do
    ip=${guest#*:}
    within 240 up $ip || bad "shell-${guest%:*}: $(tail -n 5 $(log deb${guest%:*}) | tr '\n' '|')"
    state=$(echo 'systemctl is-system-running --wait' | nc -w 10 $ip 23)
    same "running-${guest%:*}" "$state" running
    [ "$state" = running ] || in_guest $ip 'systemctl --failed; systemctl list-jobs; journalctl -p err -b --no-pager | tail -20'
done
echo "time to-running $(since $start)"
says deb1 'deb1 login:' 0 && ok login || bad "login: $(tail -n 3 $(log deb1))"

# Data from dom0 to the guest's disk, back from there past its cache, and through the network back to dom0.
/xt/bulk make 64 >/tmp/data
want=$(/xt/bulk sum </tmp/data)
# The program goes into both first.
for ip in $one $two; do
    { echo "head -c $(wc -c </xt/bulk) >/srv/bulk; chmod +x /srv/bulk"; cat /xt/bulk; } | /xt/tcp $ip 23
done
start=$(now)
same to-guest "$({ echo "head -c $size | /srv/bulk sum"; cat /tmp/data; } | /xt/tcp $one 23)" $want
echo "time to-guest $(since $start)"
start=$(now)
got=$({ echo "head -c $size >/srv/data; sync; echo 3 >/proc/sys/vm/drop_caches; /srv/bulk sum </srv/data"; cat /tmp/data; } | /xt/tcp $one 23)
same disk-write-and-read "$got" $want
echo "time disk $(since $start)"
start=$(now)
same from-guest "$(echo 'cat /srv/data' | /xt/tcp $one 23 | /xt/bulk sum)" $want
echo "time from-guest $(since $start)"
# Between the guests, over the bridge alone, both ways.
start=$(now)
got=$(echo "exec 3<>/dev/tcp/$two/23; { echo 'head -c $size >/srv/data; /srv/bulk sum </srv/data; exit'; cat /srv/data; } >&3; cat <&3" | /xt/tcp $one 23)
same guest-to-guest "$got" $want
got=$(echo "exec 3<>/dev/tcp/$two/23; echo 'cat /srv/data; exit' >&3; /srv/bulk sum <&3" | /xt/tcp $one 23)
same guest-from-guest "$got" $want
echo "time between-guests $(since $start)"

# A writer dies; the file system and what was written before do not.
in_guest $one '(while :; do dd if=/dev/zero of=/srv/writer bs=64k count=200; done) >/dev/null 2>&1 </dev/null & sleep 2; kill -9 $!; pkill -9 dd 2>/dev/null; for p in /proc/[0-9]*; do grep -qs "^dd" $p/comm && kill -9 ${p#/proc/}; done; sync; echo killed' | grep -q killed || bad kill-9
got=$(in_guest $one 'echo 3 >/proc/sys/vm/drop_caches; /srv/bulk sum </srv/data; touch /srv/alive && echo writable')
same kill-9-data "$(echo "$got" | head -n 1)" $want
echo "$got" | grep -q writable && ok kill-9 || bad "kill-9: $got"

# The guest dies in the middle of writing; its journal makes the file system whole.
in_guest $one '(i=0; while :; do i=$((i + 1)); cp /srv/data /srv/copy$((i % 3)) && sync; done) >/dev/null 2>&1 </dev/null & sleep 3; echo writing' >/dev/null
check destroy xn destroy deb1
within 20 gone deb1 && ok destroyed || bad destroyed
e2fsck.static -p -E journal_only /dev/demo-disk >/tmp/replay 2>&1 || bad "replay: $? $(cat /tmp/replay)"
if said=$(e2fsck.static -f -n /dev/demo-disk 2>&1); then ok fsck; else bad "fsck: $? $(echo "$said" | tr '\n' '|')"; fi
e2fsck.static -n /dev/demo-disk 2>&1 | head -n 3

# The other one goes down in order.
check shutdown xn shutdown deb2
within 60 gone deb2 && ok shut-down || bad "shut-down: $(tail -n 3 $(log deb2))"
if said=$(e2fsck.static -f -n /dev/demo-disk-2 2>&1); then ok fsck-2; else bad "fsck-2: $? $(echo "$said" | tr '\n' '|')"; fi
