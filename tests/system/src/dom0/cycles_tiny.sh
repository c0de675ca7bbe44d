# SPDX-License-Identifier: MIT OR Apache-2.0
# Two thousand of the smallest domains, eight at a time, come and go; nothing of them stays.
# Two commands at a time make and end four domains each.
worker() { # worker ROUNDS NAME...
    rounds=$1; shift
    for n in $(seq $rounds); do
        xn create -q $(printf '/tmp/%s.cfg ' "$@") || bad "create $* $n"
        xn destroy "$@" || bad "destroy $* $n"
        [ $((n % 50)) = 0 ] && echo "note $*: $n rounds in $(since $start) s"
    done
}
for n in $(seq 8); do tiny t$n; done
start=$(now)
worker 1 t1 t2
at_rest /tmp/before
heap=$(heap_in_use)
start=$(now)
worker 250 t1 t2 t3 t4 & first=$!
worker 250 t5 t6 t7 t8 & second=$!
wait $first $second
echo "time cycles-tiny $(since $start)"
settled /tmp/before && ok cycles-tiny || { counts >/tmp/after; bad "cycles-tiny: $(diff /tmp/before /tmp/after | tr '\n' '|')"; xn list; }
heap_kept heap $heap
# The last of them still works as the first did.
tiny last
check last xn create -q /tmp/last.cfg
says last 'XENOLITH-DOMU up' 20 && ok last-up || bad last-up
xn destroy last
