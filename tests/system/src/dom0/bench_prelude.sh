# SPDX-License-Identifier: MIT OR Apache-2.0
# Words for the scripts of `cargo xtask bench`: turns that the host gives, measurements as lines `bench ROW UNIT VALUE`. The host
# says how many ROUNDS there are, and sets BARE where Linux has the machine to itself.
[ $BARE ] && console=/dev/ttyS0 || console=/dev/hvc0
turn() { echo turn; read -r go <$console; }
[ $BARE ] || . /xt/prelude
# guest NAME ADDRESS ["MORE LINES"]: a Linux domU of one vCPU on the bridge, up
guest() {
    linux $1 256 1 "quiet xt.ip=$2/16" "vif = ['bridge=xenbr0']
$3"
    check create-$1 xn create -q /tmp/$1.cfg
    ready $1 200 || bad "ready $1: $(tail -n 5 $(log $1) | tr '\n' '|')"
    within 30 in_guest $2 true || bad "no shell in $1"
}
# bring ADDRESS FILE: puts it into the guest as /tmp/NAME
bring() {
    nc -l -p 5999 -e cat $2 &
    in_guest $1 "nc 10.76.0.1 5999 </dev/null >/tmp/${2##*/}; chmod 755 /tmp/${2##*/}"
    same brought "$(in_guest $1 "md5sum </tmp/${2##*/}")" "$(md5sum <$2)"
}
# rows LAST COMMAND...: runs it; a row of that name is what it prints last
rows() {
    last=$1; shift
    got=$("$@" 2>&1)
    echo "$got"
    case $got in *"bench $last "*) ;; *) bad "$*: no row $last" ;; esac
}
