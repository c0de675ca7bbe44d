# SPDX-License-Identifier: MIT OR Apache-2.0
# A hundred Linux domains with disk and interface, eight at a time, come and go; nothing of them stays.
cycle() { # cycle NAME NUMBER: two of twelve live until they are up, the others die at some moment of their boot
    xn create -q /tmp/$1.cfg || { bad "create $1 $2"; return; }
    case $((($2 + ${1#c}) % 6)) in
    0) ready $1 900 || bad "ready $1 $2: $(tail -n 3 $(log $1) | tr '\n' '|')" ;;
    *) usleep $(($2 * 7919 % 1500 * 1000)) ;;
    esac
    xn destroy $1 || bad "destroy $1 $2"
    echo "note $1: cycle $2 ends at $(since $start) s"
    rm -f $(log $1)
}
worker() { for n in $(seq $2 $3); do cycle $1 $n; done; }
# Whoever makes and ends domains is not to wait for those that are about to be ended.
xn sched-credit2 -d Domain-0 -w 4096 || bad weight
for n in $(seq 8); do
    truncate -s 16M /tmp/disk$n 2>/dev/null || dd if=/dev/zero of=/tmp/disk$n bs=1M seek=16 count=0 2>/dev/null
    linux c$n 96 1 "quiet xt.ip=10.76.0.$((60 + n))/16" "disk = ['/tmp/disk$n,raw,xvda,w']
vif = ['bridge=xenbr0']"
done
start=$(now)
# What the first one leaves for good (folders of the store, caches) is not counted.
cycle c1 5
at_rest /tmp/before
heap=$(heap_in_use)
start=$(now)
workers=
for n in 1 2 3 4; do worker c$n 0 12 & workers="$workers $!"; done
for n in 5 6 7 8; do worker c$n 0 11 & workers="$workers $!"; done
wait $workers
echo "time cycles-linux $(since $start)"
settled /tmp/before && ok cycles-linux || { counts >/tmp/after; bad "cycles-linux: $(diff /tmp/before /tmp/after | tr '\n' '|')"; xn list; }
heap_kept heap $heap
