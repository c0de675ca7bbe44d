# SPDX-License-Identifier: MIT OR Apache-2.0
# Two thousand of the smallest domains, eight at a time, come and go; nothing of them stays.
worker() {
    for n in $(seq $2); do
        xn create -q /tmp/$1.cfg || bad "create $1 $n"
        xn destroy $1 || bad "destroy $1 $n"
        [ $((n % 50)) = 0 ] && echo "note $1: $n cycles in $(since $start) s"
    done
}
for n in $(seq 8); do tiny t$n; done
start=$(now)
worker t1 1
counts >/tmp/before
start=$(now)
workers=
for n in $(seq 8); do worker t$n 250 & workers="$workers $!"; done
wait $workers
echo "time cycles-tiny $(since $start)"
settled /tmp/before && ok cycles-tiny || { counts >/tmp/after; bad "cycles-tiny: $(diff /tmp/before /tmp/after | tr '\n' '|')"; xn list; }
# The last of them still works as the first did.
tiny last
check last xn create -q /tmp/last.cfg
within 20 said last 'XENOLITH-DOMU up' && ok last-up || bad last-up
xn destroy last
