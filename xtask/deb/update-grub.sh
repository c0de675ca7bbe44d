#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# postinst and postrm: GRUB's menu lists what lies in /boot.
set -e
case $1 in
configure | remove)
    if [ -e /boot/grub/grub.cfg ] && command -v update-grub >/dev/null; then update-grub; fi
    ;;
esac
