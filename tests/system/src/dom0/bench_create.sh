# SPDX-License-Identifier: MIT OR Apache-2.0
# Creations and ends of domains by either toolstack.
measure() { # measure ROW COMMAND...: as a row in ms
    row=$1; shift
    said=$(/xt/stopwatch $row "$@") || bad "$row: $said"
    echo "$said" | awk '/^time/ { printf "bench %s ms %.2f\n", $2, $3 * 1000 }'
}
turn() { echo turn; read -r go </dev/hvc0; }
truncate -s 16M /tmp/disk
tiny tiny
sed -i 's/^memory.*/memory = 8/' /tmp/tiny.cfg
linux linux 128 1 quiet
linux devices 128 1 quiet "disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0']"
# Caches are filled before anything counts.
for name in tiny linux devices; do $TOOL create -q /tmp/$name.cfg || bad "first $name"; $TOOL destroy $name; done
for round in $(seq $ROUNDS); do
    turn
    for name in tiny linux devices; do
        measure create-$name $TOOL create -q /tmp/$name.cfg
        measure destroy-$name $TOOL destroy $name
    done
done
ok bench
