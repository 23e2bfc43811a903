# SPDX-License-Identifier: AGPL-3.0-or-later
"""A PostgreSQL of the test's own, for leases of database users."""
import glob
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import nfo as programs
import real as servers

WHERE = ("/usr/lib/postgresql/*/bin",
         str(programs.TOP / "build/share/postgresql/usr/lib/postgresql/*/bin"))


def bin_dir():
    found = [d for pattern in WHERE for d in sorted(glob.glob(pattern))
             if os.access(f"{d}/postgres", os.X_OK)]
    if not found:
        pytest.skip("no PostgreSQL (./check unpacks Debian's)")
    return pathlib.Path(found[-1])


class Postgres:
    """Listens on loopback; the superuser is "admin" with password "admin"."""

    def __init__(self, where):
        self.bin, self.data = bin_dir(), where / "data"
        # It does not run as root; nor does it want another's directory.
        self.user = {"user": "nobody", "group": "nogroup",
                     "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(where, "nobody", "nogroup")
            where.chmod(0o755)
        password = where / "password"
        password.write_text("admin")
        password.chmod(0o644)
        self.run("initdb", "-D", self.data, "-U", "admin", "-A",
                 "scram-sha-256", f"--pwfile={password}", "--no-sync")
        (self.port,) = servers.free_ports(1)
        self.log = open(where / "log", "wb")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.data, "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
             "-c", "unix_socket_directories="], cwd="/", stdout=self.log,
            stderr=self.log, **self.user)
        servers.until(lambda: self.accepts("admin", "admin"))

    def run(self, program, *args):
        done = subprocess.run([self.bin / program, *args], cwd="/",
                              capture_output=True, text=True, **self.user)
        assert done.returncode == 0, done.stderr

    def psql(self, user, password, sql):
        return subprocess.run(
            ["psql", "-XAtqc", sql, f"host=127.0.0.1 port={self.port} "
             f"user={user} dbname=postgres"], capture_output=True, text=True,
            env={**os.environ, "PGPASSWORD": password})

    def accepts(self, user, password):
        return self.psql(user, password, "select 1").stdout == "1\n"

    def users(self):
        """Those that a lease has made."""
        return self.psql("admin", "admin", "select rolname from pg_roles "
                         "where rolname like 'v-%'").stdout.split()

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # waits for no client
        self.process.wait(servers.LIMIT)
        self.log.close()
