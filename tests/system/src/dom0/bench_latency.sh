# SPDX-License-Identifier: MIT OR Apache-2.0
# What a toolstack and Linux domains ask of the hypervisor, for how long that keeps interrupts off; then thirty idle domains, for how much
# of a CPU the hypervisor takes. Only on a hypervisor with the feature `latency`, whose debug key `o` tells.
linux a 128 2 "quiet xt.ip=10.76.0.99/16" "disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0']"
dd if=/dev/zero of=/tmp/disk bs=1M seek=16 count=0 2>/dev/null
for round in 1 2; do
    check create xn create -q /tmp/a.cfg
    ready a 900 && ok ready || bad "ready: $(tail -n 3 $(log a) | tr '\n' '|')"
    check answers within 60 answers 10.76.0.99
    for count in 1 2; do check vcpu-set xn vcpu-set --ignore-host a $count; done
    for mib in 100 128; do check mem-set xn mem-set a ${mib}m; done
    check pause xn pause a
    check unpause xn unpause a
    check info xn list a
    check destroy xn destroy a
done
for n in $(seq 8); do tiny t$n; done
check create-8 xn create -q $(seq 8 | sed 's,.*,/tmp/t&.cfg,')
check destroy-8 xn destroy $(seq 8 | sed s/^/t/)

for n in $(seq $DOMUS); do
    linux l$n 96 1 "quiet xt.ip=10.76.1.$n/16" "vif = ['bridge=xenbr0']"
    xn create -q /tmp/l$n.cfg || bad "create l$n"
done
for n in $(seq $DOMUS); do ready l$n 900 || bad "ready l$n: $(tail -n 3 $(log l$n) | tr '\n' '|')"; done
sleep 10
xn debug-keys o
sleep 20
xn debug-keys o
# Not before: this is no idleness.
check debug-keys xn debug-keys '*'
check destroy-all xn destroy $(seq $DOMUS | sed s/^/l/)
ok end
