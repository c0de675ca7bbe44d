#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# postinst and postrm: units have come or gone. What runs goes on; domains need it.
set -e
case $1 in
configure | remove)
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
    ;;
esac
