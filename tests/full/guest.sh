#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Inside the machine: runs every case as root and as an ordinary user.  Each
# leaves share/out/CASE-WHO.{log,code}; the machine is switched off at the end.
export PATH=/tmp/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8
export PYTHONDONTWRITEBYTECODE=1 NFO_BIN=/tmp/bin NFO_TEST_SLOW=10
user=62345
off() { sync; echo o >/proc/sysrq-trigger; while :; do sleep 60; done; }
trap off EXIT

mount -o remount,rw /
chmod 755 /
dmesg -n 1
ip link set lo up 2>/dev/null
cp -r /share/bin /share/tree /tmp
chown -R 0:0 /tmp/bin /tmp/tree
chmod -R a+rX,go-w /tmp/bin /tmp/tree
out=/share/out
echo "nfo-guest: up"
uname -r >$out/uname
cat /proc/mounts >$out/mounts

cgroup=/sys/fs/cgroup
echo "+memory +pids +cpu" >$cgroup/cgroup.subtree_control
mkdir -p /tmp/home-root /tmp/home-user /var/lib /var/tmp
chown $user:$user /tmp/home-user

# A control group as systemd delegates it.
delegate() { # PATH WHO
	mkdir "$1"
	/usr/bin/python3 -c 'import os, sys
os.setxattr(sys.argv[1], "user.delegate", b"1")' "$1"
	[ "$2" = root ] || chown $user:$user "$1" "$1/cgroup.procs" \
		"$1/cgroup.subtree_control"
}

run_as() { # CASE WHO COMMAND...
	name=$1-$2 who=$2
	shift 2
	as="env"
	[ "$who" = root ] ||
		as="setpriv --reuid=$user --regid=$user --clear-groups env"
	echo "nfo-guest: $name"
	delegate "$cgroup/$name" "$who"
	(
		cd "/tmp/home-$who" || exit 1
		sh -c 'echo $$ >"$0"; exec "$@"' "$cgroup/$name/cgroup.procs" \
			$as "HOME=/tmp/home-$who" "NFO_ESCAPE_WHO=$who" \
			timeout 2400 "$@"
	) >"$out/$name.log" 2>&1 </dev/null
	echo $? >"$out/$name.code"
}

job='openssl genpkey -algorithm ed25519 | nfo secret put sign_key &&
exec nfo run /tmp/tree/examples/release.yaml --source /tmp/tree'

for who in root user; do run_as doctor $who nfo doctor; done
for who in root user; do run_as job $who sh -c "$job"; done
for who in root user; do
	run_as escape $who /usr/bin/python3 -m pytest -q -rs --tb=short \
		-p no:cacheprovider --junitxml=/tmp/home-$who/escape.xml \
		/tmp/tree/tests/escape
	cp /tmp/home-$who/escape.xml $out/escape-$who.xml
done
