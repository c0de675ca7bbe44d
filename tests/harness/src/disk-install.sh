# SPDX-License-Identifier: MIT OR Apache-2.0
# What makes the disk /dev/vda start Debian and Xenolith, as a person would: GRUB for BIOS and for UEFI, then the packages,
# whose scripts run update-grub. It runs in place of init, with root writable and what was handed over in /run.
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
systemd-machine-id-setup
# As the packages grub-pc and grub-efi-amd64 do, of which only one can be installed.
cp /usr/share/grub/default/grub /etc/default/grub
mkfs.vfat -n EFI /dev/vda2
mkdir -p /boot/efi
modprobe -a vfat nls_cp437 nls_ascii
mount -t vfat /dev/vda2 /boot/efi
grub-install --target=i386-pc /dev/vda
grub-install --target=x86_64-efi --removable --no-nvram --efi-directory=/boot/efi
umount /boot/efi
# Only where there is a menu it is made anew.
: >/boot/grub/grub.cfg
dpkg --force-unsafe-io -i /run/*.deb
mount -o remount,ro /
echo '@installed@'
