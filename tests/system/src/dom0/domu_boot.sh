# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian's kernels in domains of every size, several at a time.
before=$(room)
# group SERIES VCPUSxMIB...: boots them side by side
group() {
    SERIES=$1; shift
    for size; do
        name=g$size
        linux $name ${size#*x} ${size%x*} "quiet"
        xn create -q /tmp/$name.cfg || bad "create-$SERIES-$size"
    done
    for size; do
        name=g$size
        if ready $name 240; then
            line=$(grep -o '@domu-ready@.*' "$(log $name)" | tr -d '\r')
            same "cpus-$SERIES-$size" "$(echo "$line" | cut -d' ' -f2)" ${size%x*}
            # The kernel keeps some for itself: 60 MiB of its own image, and a sixty-fourth for page structures.
            least=$((${size#*x} * 1024 * 62 / 64 - 70000))
            [ "$(echo "$line" | cut -d' ' -f3)" -ge $least ] && ok "memory-$SERIES-$size" || bad "memory-$SERIES-$size: $line"
        else
            bad "boot-$SERIES-$size: $(tail -n 60 "$(log $name)" | tr '\n' '|')"
        fi
        check "destroy-$SERIES-$size" xn destroy $name
        rm -f "$(log $name)"
    done
}
group 6.1 1x96 2x128 4x512 8x3072
group 6.12 3x96 5x256 7x512 6x3072
back() { [ "$(room)" = "$before" ]; }
within 20 back && ok memory-back || bad "memory-back: $(room) MiB free, $before before"

# Less than the kernel needs is refused with the size that would do, and that size does.
SERIES=6.1
linux small 40 1 quiet
said=$(xn create /tmp/small.cfg 2>&1); status=$?
least=$(echo "$said" | grep -o '[0-9]* MiB' | tail -n 1 | cut -d' ' -f1)
echo "note too-small: status $status: $said"
[ $status != 0 ] && [ "${least:-0}" -gt 40 ] && [ "$least" -le 96 ] && ok too-small || bad "too-small: status $status: $said"
linux small "${least:-96}" 1 quiet
check smallest-creates xn create -q /tmp/small.cfg
xn destroy small
