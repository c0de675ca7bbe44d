# SPDX-License-Identifier: MIT OR Apache-2.0
# Busy domains on one CPU: shares by weight, a cap, and how soon one that sleeps runs beside eight of them. Times are those that the
# hypervisor accounts, so that a loaded host changes nothing but the latencies.
# busy NAME "OPTIONS": makes it, paused, on CPU 1 like all of them
busy() {
    tiny $1
    sed -i s/domu_idle/domu_busy/ /tmp/$1.cfg
    printf 'cpus = "1"\nextra = "%s"\n' "$2" >>/tmp/$1.cfg
    check "create-$1" xn create -q -p /tmp/$1.cfg
}
# measure SECONDS: lines NAME MILLISECONDS that each ran meanwhile
measure() {
    cpu_times >/tmp/before; sleep $1; cpu_times >/tmp/after
    awk 'NR == FNR { before[$1] = $2; next } { printf "%s %d\n", $1, ($2 - before[$1]) / 1e6 }' /tmp/before /tmp/after >/tmp/ran
    tr '\n' ' ' </tmp/ran | sed 's/^/ran ms: /'; echo
}
ran() { awk -v name=$1 '$1 == name { print $2 }' /tmp/ran; }
# share WORD PART WHOLE WANTED: in percent, two of them off at most
share() {
    awk -v word=$1 -v part=$2 -v whole=$3 -v wanted=$4 'BEGIN {
        got = whole > 0 ? 100 * part / whole : -1
        off = got - wanted
        if (off < 0) off = -off
        printf "%s %s%s %.1f %% instead of %.1f\n", (off <= 2 ? "ok" : "bad"), word, (off <= 2 ? "" : ":"), got, wanted
    }'
}

for n in 1 2 3; do busy b$n; done
check weight-1 xn sched-credit2 -d b1 -w 256
check weight-2 xn sched-credit2 -d b2 -w 512
check weight-3 xn sched-credit2 --domain b3 --weight=1024
same shown "$(xn sched-credit2 -d b3 | tail -n 1 | awk '{ print $1, $3, $4 }')" "b3 1024 0"
same listed "$(xn sched-credit2 | awk '/^b[123] / { print $1, $3 }' | tr '\n' ' ')" "b1 256 b2 512 b3 1024 "
said=$(xn sched-credit2 -w 256 2>&1) && bad "refused: $said" || { echo "$said" | grep -q domain && ok refused || bad "refused: $said"; }
case "$(xn sched-credit2 -s)" in "Cpupool Pool-0: ratelimit="*us) ok parameters ;; *) bad "parameters: $(xn sched-credit2 -s)" ;; esac
xn unpause b1 b2 b3
sleep 1
measure 10
total=$(($(ran b1) + $(ran b2) + $(ran b3)))
share share-256 $(ran b1) $total 14.3
share share-512 $(ran b2) $total 28.6
share share-1024 $(ran b3) $total 57.1

check cap xn sched-credit2 -d b3 -c 25
same cap-shown "$(xn sched-credit2 -d b3 -o json | tr -d ' ",' | awk -F: '/^cap:/ { print $2 }')" 25
sleep 1
measure 10
# The CPU is never idle: what all ran is how long it was, whatever else the host does.
share capped $(ran b3) $(($(ran b1) + $(ran b2) + $(ran b3))) 25
share rest-by-weight $(ran b1) $(($(ran b1) + $(ran b2))) 33.3
check uncap xn sched-credit2 -d b3 -c 0

# A CPU of one's own: in a pool with it, nobody else's share matters.
check pool-cpu-remove xn cpupool-cpu-remove Pool-0 1
check pool-create xn cpupool-create batch 1
check pool-migrate xn cpupool-migrate b3 batch
same pool-listed "$(xn cpupool-list -c | tail -n +2 | awk '{ print $1, $2 }' | tr '\n' ' ')" "Pool-0 0 batch 1 "
same pool-of "$(xn list -c b3 | awk 'NR == 2 { print $NF }')" batch
said=$(xn cpupool-destroy batch 2>&1) && bad "pool-in-use: $said" || { echo "$said" | grep -q migrate && ok pool-in-use || bad "pool-in-use: $said"; }
sleep 1
measure 5
# One of the two CPUs.
share pool-own $(ran b3) $(($(ran b1) + $(ran b2) + $(ran b3) + $(ran Domain-0))) 50
# Xen 4.17 let b1 wait for all of these five seconds, once its CPU had been taken from the pool: that is no measure.
grep -q xenolith /sys/hypervisor/version/extra && share pool-rest $(ran b1) $(($(ran b1) + $(ran b2))) 33.3
check pool-migrate-back xn cpupool-migrate b3 0
check pool-destroy xn cpupool-destroy batch
check pool-cpu-add xn cpupool-cpu-add Pool-0 1
same pool-whole "$(xn cpupool-list | tail -n +2 | awk '{ print $1, $2, $5 }' | tr '\n' ' ')" "Pool-0 2 4 "
# Whose only CPU left the pool may run anywhere since.
same pool-unpinned "$(xn vcpu-list b1 | awk 'NR == 2 { print $7 }')" all
for n in 1 2 3; do check "pin-$n" xn vcpu-pin b$n all 1; done

for n in 4 5 6 7 8; do busy b$n; done
busy sleeper sleep
xn unpause b4 b5 b6 b7 b8 sleeper
spoke() { [ "$(grep -c 'late us' "$(log sleeper)")" -ge 8 ]; }
within 60 spoke && ok spoke || bad "spoke: $(tail -n 3 "$(log sleeper)" | tr '\n' '|')"
# The best of some medians: what else the host does makes some of them worse.
late=$(awk '/late us/ { for (i = 1; i < NF; i++) if ($i == "median") print $(i + 1) + 0 }' "$(log sleeper)" | sort -n | head -n 1)
echo "late $late us: $(grep -o 'median.*' "$(log sleeper)" | tr -d '\r' | tr '\n' ',')"
if [ -n "$late" ] && [ "$late" -le 1000 ]; then echo "prompt $late"; else echo "tardy $late"; fi
check end xn destroy b1 b2 b3 b4 b5 b6 b7 b8 sleeper
