# SPDX-License-Identifier: MIT OR Apache-2.0
# Starts Debian's toolstack in a dom0 that has no init system.
export PATH=$(echo /usr/lib/xen-4.*)/bin:$PATH TOOL=xl
# Debian 13 has everything below /usr; its programs still ask for these by their old names.
[ -e /lib64 ] || ln -s usr/lib64 /lib64
[ -e /bin/bash ] || ln -s /usr/bin/bash /bin/bash
mkdir -p /run/xen /run/xenstored /run/lock /var/lib/xen /var/lib/xenstored /var/lock /var/log/xen/console
[ -e /var/run ] || ln -s /run /var/run
for module in xen-blkback xen-netback loop bridge; do modprobe -q $module; done
brctl addbr xenbr0
ip addr add 10.76.0.1/16 dev xenbr0
ip link set xenbr0 up
xenstored --pid-file /run/xenstored.pid
within_socket() { n=0; until xenstore-read / >/dev/null 2>&1 || [ $n -ge 200 ]; do usleep 50000; n=$((n + 1)); done; }
within_socket
xen-init-dom0 >/dev/null
xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/var/log/xen/console
