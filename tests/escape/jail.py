# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starting the sandbox, or a probe without one, as root or as a user.

As root everything runs in a throw-away mount and pid namespace, and the
probe's `guard` refuses to go on in the host's.  A user's sandbox needs
neither."""
import os
import pathlib
import shutil
import subprocess
import time
from typing import NamedTuple

# Who starts the sandbox: root can be both, a user only itself.
WHO = ("root", "user") if os.geteuid() == 0 else ("user",)
if os.environ.get("NFO_ESCAPE_WHO"):  # one of them only
    WHO = (os.environ["NFO_ESCAPE_WHO"],)
SLOW = float(os.environ.get("NFO_TEST_SLOW", 1))  # an emulated processor
USER_ID = 62345  # nobody's; needs no entry in /etc/passwd
TOOLS = "/var"   # a directory of the sandbox's root where the probe is shown
HOST_MOUNTS = os.readlink("/proc/self/ns/mnt")
UNSHARE = ("unshare", "-m", "-p", "-f", "--mount-proc", "--propagation",
           "private", "--kill-child")


class Result(NamedTuple):
    code: int
    out: str
    err: str
    seconds: float

    def line(self, probe):
        """What the probe printed, or "" when it did not get so far."""
        for line in self.out.splitlines():
            if line.startswith(probe + ": "):
                return line
        return ""


class Jail:
    """The programs, copied to where any user may run them."""

    def __init__(self, directory, binaries, planted, environment):
        self.home = pathlib.Path(directory)
        self.planted = planted
        self.environment = environment
        self.bin = self.home / "bin"
        self.tools = self.home / "tools"
        for d in (self.bin, self.tools):
            d.mkdir(mode=0o755)
        self.nfo = self.bin / "nfo"
        self.probe = self.tools / "probe"
        shutil.copy(binaries / "nfo", self.nfo)
        shutil.copy(binaries / "escape_probe", self.probe)
        for program in (self.nfo, self.probe):
            program.chmod(0o755)

    def outer(self, who):
        """What stands before a command that is to be run as who."""
        if os.geteuid() != 0:
            return []
        front = [*UNSHARE, self.probe, "guard", "-", HOST_MOUNTS]
        if who == "user":
            front += [shutil.which("setpriv"), f"--reuid={USER_ID}",
                      f"--regid={USER_ID}", "--clear-groups"]
        return front

    def sandbox(self, profile, *options):
        return [self.nfo, "sandbox", "--profile", profile, "--bind-ro",
                f"{self.tools}:{TOOLS}", "--timeout", "10s", *options, "--"]

    def start(self, who, command, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [*self.outer(who), *command], env=self.environment,
            pass_fds=self.planted, start_new_session=True, text=True,
            errors="replace", cwd=self.home, **more)

    def finish(self, process, begun, limit=30):
        try:
            out, err = process.communicate(timeout=limit * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Result(process.returncode, out, err, time.monotonic() - begun)

    def run(self, who, command, limit=30, **more):
        begun = time.monotonic()
        return self.finish(self.start(who, command, **more), begun, limit)

    def run_probe(self, who, profile, probe, expect, args=(), options=()):
        return self.run(who, [*self.sandbox(profile, *options),
                              f"{TOOLS}/probe", probe, expect, *args])

    def run_bare(self, who, probe, expect, args=()):
        return self.run(who, [self.probe, probe, expect, *args])
