#!/bin/busybox sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# The first program of the machine: a root of tmpfs with the host's /usr and
# /etc (read-only, through 9p), then guest.sh.  BusyBox does everything here.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/list); do
	$b insmod "/modules/$module" || echo "init: $module failed"
done
for tag in usr etc; do
	$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose \
		$tag /$tag || echo "init: no $tag"
done
$b mount -t tmpfs -o mode=755 none /new
cd /new || exit 1
$b mkdir usr etc tmp proc sys dev run var root home opt srv mnt share
for dir in bin sbin lib lib64; do $b ln -s usr/$dir $dir; done
$b mount -o bind /usr usr
$b cp -a /etc/. etc 2>/dev/null # not every file is for everyone to read
[ -e etc/shadow ] || (umask 077 && echo 'root:*:1::::::' >etc/shadow)
$b mount -t tmpfs -o mode=1777 none tmp
for dir in proc sys dev; do $b mount --move /$dir $dir; done
$b mkdir -p dev/shm dev/pts dev/mqueue
$b mount -t tmpfs -o mode=1777 none dev/shm
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 none dev/pts
$b mount -t mqueue none dev/mqueue
$b mount -t cgroup2 none sys/fs/cgroup
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 share share
exec $b switch_root /new /bin/sh /share/guest.sh
