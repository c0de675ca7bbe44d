# SPDX-License-Identifier: MIT OR Apache-2.0
# Twenty Linux domains on one bridge, then two hundred of the smallest there are.
before=$(room)
for n in $(seq 20); do
    linux l$n 96 1 "quiet xt.ip=10.76.0.$((20 + n))/16" "vif = ['bridge=xenbr0']"
done
start=$(now)
for n in $(seq 20); do xn create -q /tmp/l$n.cfg || bad "create l$n"; done
echo "time create-20 $(since $start)"
for n in $(seq 20); do ready l$n 300 || bad "ready l$n: $(tail -n 3 $(log l$n) | tr '\n' '|')"; done
echo "time ready-20 $(since $start)"
same listed-20 "$(xn list | grep -c '^l[0-9]')" 20
answered=0
for n in $(seq 20); do within 20 answers 10.76.0.$((20 + n)) && answered=$((answered + 1)); done
same answering-20 $answered 20
# Each of them reaches another, not only dom0.
same neighbours "$(in_guest 10.76.0.21 'ping -c 1 -W 5 10.76.0.40 >/dev/null && echo yes')" yes
start=$(now)
for n in $(seq 20); do xn destroy l$n || bad "destroy l$n"; done
echo "time destroy-20 $(since $start)"
back() { [ "$(room)" = "$before" ]; }
within 30 back && ok memory-back-20 || bad "memory-back-20: $(room) MiB free, $before before"

start=$(now)
for n in $(seq 200); do tiny t$n; done
xn create -q $(seq 200 | sed 's,.*,/tmp/t&.cfg,') || bad create-200
echo "time create-200 $(since $start)"
same listed-200 "$(xn list | grep -c '^t[0-9]')" 200
all_up() { [ "$(grep -l 'XENOLITH-DOMU up' $LOGS/guest-t*.log | wc -l)" = 200 ]; }
within 60 all_up && ok up-200 || bad "up-200: $(grep -l 'XENOLITH-DOMU up' $LOGS/guest-t*.log | wc -l)"
# None of them died of the others.
same alive-200 "$(xn list | grep '^t[0-9]' | awk '$5 ~ /[scd]/' | wc -l)" 0
start=$(now)
xn destroy $(seq 200 | sed s/^/t/) || bad destroy-200
echo "time destroy-200 $(since $start)"
within 30 back && ok memory-back-200 || bad "memory-back-200: $(room) MiB free, $before before"
same nobody-left "$(xn list | tail -n +2 | wc -l)" 1
