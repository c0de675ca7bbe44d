# SPDX-License-Identifier: MIT OR Apache-2.0
# Many busy domains on several CPUs, with weights of 1, 2 and 4 in turn: what each weight gets, and how even those of a weight are. Times
# are those that the hypervisor accounts, so that it does not matter how much of the host it gets.
# busy NAME CPUS WEIGHT: its configuration
busy() {
    tiny $1
    sed -i s/domu_idle/domu_busy/ /tmp/$1.cfg
    printf 'cpus = "%s"\ncpu_weight = %d\n' "$2" "$3" >>/tmp/$1.cfg
}
# phase VCPUS CPUS
phase() {
    names=
    for n in $(seq $1); do
        busy b$n 1-$2 $((256 << (n % 3)))
        names="$names b$n"
    done
    xn create -q -p $(printf '/tmp/%s.cfg ' $names) || bad "create $1"
    xn unpause $names || bad "unpause $1"
    sleep 1
    cpu_times >/tmp/before; sleep 10; cpu_times >/tmp/after
    xn destroy $names || bad "destroy $1"
    awk -v word=$1-on-$2 '
        BEGIN { part[0] = 1; part[1] = 2; part[2] = 4 }
        FNR == NR { before[$1] = $2; next }
        $1 ~ /^b[0-9]+$/ {
            n = substr($1, 2) % 3; ran = $2 - before[$1]
            sum[n] += ran; count[n]++; all += ran; weights += part[n]
            if (!(n in least) || ran < least[n]) least[n] = ran
            if (ran > most[n]) most[n] = ran
        }
        END {
            for (n = 0; n < 3; n++) if (count[n]) {
                wanted = 100 * count[n] * part[n] / weights
                got = 100 * sum[n] / all
                off = got > wanted ? got - wanted : wanted - got
                mean = sum[n] / count[n]
                printf "share %s: %d of weight %d got %.1f %% instead of %.1f, each %+.1f to %+.1f %% of their mean %d ms\n",
                    word, count[n], 256 * part[n], got, wanted, 100 * (least[n] / mean - 1), 100 * (most[n] / mean - 1), mean / 1e6
                if (off > 2) { print "bad " word ": weight " 256 * part[n]; wrong = 1 }
            }
            if (!wrong && all > 0) print "ok " word
        }' /tmp/before /tmp/after
}
for one in $PHASES; do phase ${one%-on-*} ${one#*-on-}; done
ok end
