# SPDX-License-Identifier: MIT OR Apache-2.0
# How long creations take. Two machines run this, each with its own toolstack, in turns that the host gives.
turn() { echo turn; read -r go </dev/hvc0; }
made() { # made WORD NAME [--until FILE TEXT]: creates it, measured, and ends it
    word=$1; name=$2; shift 2
    rm -f $(log $name)
    /xt/stopwatch "$@" $word $TOOL create -q /tmp/$name.cfg || bad "create $name"
    $TOOL destroy $name || bad "destroy $name"
}
tiny tiny
sed -i 's/^memory.*/memory = 8/' /tmp/tiny.cfg
truncate -s 16M /tmp/disk
linux packed 128 1 quiet
linux devices 128 1 quiet "disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0']"
sed -i 's,^kernel.*,kernel = "/xt/vmlinux",' /tmp/devices.cfg
# Caches are filled before anything counts.
for name in tiny packed devices; do $TOOL create -q /tmp/$name.cfg || bad "first $name"; $TOOL destroy $name; done
for round in 1 2 3; do
    turn
    made tiny tiny
    made packed packed --until $(log packed) @domu-init@
    made devices devices --until $(log devices) @domu-init@
    made tiny tiny
done
# The thirtieth beside twenty-nine others, and the first alone
for round in 1 2 3; do
    turn
    [ $TOOL = xn ] || continue
    for n in $(seq 30); do
        tiny t$n
        case $n in
        [1-3]) word=first ;;
        2[89] | 30) word=thirtieth ;;
        *) word=middle ;;
        esac
        /xt/stopwatch $word $TOOL create -q /tmp/t$n.cfg || bad "create t$n"
    done
    for n in $(seq 30); do $TOOL destroy t$n || bad "destroy t$n"; done
done
ok create-time
