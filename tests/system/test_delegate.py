# SPDX-License-Identifier: AGPL-3.0-or-later
"""An ordinary user without a control group of their own asks their systemd for
one, once; here systemd-run is a double that writes down what it was asked."""
import os
import shutil
import subprocess

import pytest

import nfo as programs

USER = 62346  # nobody's; needs no entry in /etc/passwd
ASKED = "--user --scope --quiet --collect -pDelegate=yes -- "
DOUBLE = """#!/bin/sh
printf '%s\\n' "$*" >>"$HOME/asked"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
JOB = "nfo: 1\nname: hi\ntasks: { t: { run: echo salut } }\n"
# A machine that runs systemd with nothing but cgroup v2.
MACHINE = """
mount -t tmpfs none /run && mkdir -p /run/systemd/system &&
mount -t tmpfs none /sys/fs/cgroup && : >/sys/fs/cgroup/cgroup.controllers &&
exec "$@"
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="only root can set the scene")


class User(programs.Nfo):
    """Commands of a user of such a machine."""

    def __init__(self, home):
        super().__init__(home)
        (home / "bin").mkdir()
        for program in ("nfo", "nfo-client", "nfo-monitor", "nfo-server",
                        "nfo-keeper", "nfo-keeper-vault", "nfo-fetcher",
                        "nfo-spawner", "nfo-runner"):
            shutil.copy(programs.BIN / program, home / "bin")
        double = self.write("double/systemd-run", DOUBLE)
        double.chmod(0o755)
        private = self.write("run/systemd/private", "")
        for path in (home, home / "run", private):
            os.chown(path, USER, USER)
        self.env["PATH"] = f"{double.parent}:{self.env['PATH']}"
        self.env["XDG_RUNTIME_DIR"] = str(home / "run")

    def popen(self, *args, **more):
        for stream in ("stdin", "stdout", "stderr"):
            more.setdefault(stream, subprocess.PIPE)
        return subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", MACHINE,
             "sh", "setpriv", f"--reuid={USER}", f"--regid={USER}",
             "--clear-groups", "--inh-caps=-all", self.home / "bin/nfo",
             *map(str, args)], env=self.env, cwd=self.home, **more)

    def asked(self):
        path = self.home / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def user(home):
    it = User(home)
    yield it
    it.stop()
    assert it.left_behind() == []


def test_the_private_server_asks_once(user):
    job = user.write("job.yaml", JOB)
    for _ in range(2):  # the second finds the server
        assert "salut" in user("run", job).out
    (asked,) = user.asked()
    assert asked.startswith(
        f"{ASKED}{user.home}/bin/nfo-monitor --state {user.state} "), asked
    assert "--cgroups prefer" in asked and "--ready-fd" in asked


def test_serve_asks_once_and_then_refuses(user):
    """The double makes no group: what requires one still does not start."""
    err = user("serve", code=None).err
    assert "cgroup" in err
    (asked,) = user.asked()
    assert asked.startswith(f"{ASKED}{user.home}/bin/nfo-monitor "), asked
    assert "--cgroups require" in asked


def test_sandbox_asks_when_there_is_something_to_limit(user):
    user("sandbox", "--", "true")
    before = user.asked()
    user("sandbox", "--memory", "64M", "--", "true")
    assert user.asked()[len(before):] == [
        f"{ASKED}{user.home}/bin/nfo sandbox --memory 64M -- true"]


@pytest.mark.parametrize("without", ("runtime directory", "its socket"))
def test_nobody_is_asked_who_cannot_answer(user, without):
    if without == "runtime directory":
        del user.env["XDG_RUNTIME_DIR"]
    else:
        (user.home / "run/systemd/private").unlink()
    job = user.write("job.yaml", JOB)
    assert "salut" in user("run", job).out
    assert user.asked() == []


def test_nobody_asks_twice(user):
    user.env["NFO_DELEGATED"] = "1"
    assert "cgroup" in user("serve", code=None).err
    assert user.asked() == []
