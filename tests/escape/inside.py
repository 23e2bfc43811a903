# SPDX-License-Identifier: AGPL-3.0-or-later
"""inside.py SCENE LAUNCHER TOOLS...: many sandboxes, and what is left of them.

Runs as the first process of a throw-away pid namespace, or as a user.  It
adopts what its children leave, so that no process of theirs is overlooked.
Prints what was wrong; nothing when all is well."""
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
SEQUENTIAL, CONCURRENT = 200, 8


def command(launcher, tools, *payload):
    return [launcher, "sandbox", "--timeout", "20s", "--bind-ro",
            f"{tools}:/var", "--", *payload]


def groups():
    return {str(d) for d in pathlib.Path("/sys/fs/cgroup").glob("*/nfo-*")}


def empty(group):
    try:
        return not pathlib.Path(group, "cgroup.procs").read_text()
    except OSError:  # gone by now
        return False


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text()


def wait_until(done, seconds):
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.01)
    return done()


def no_children():
    """Reaps; true when there is nobody left, not even a zombie."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def leftovers(before_groups, before_mounts):
    if not wait_until(no_children, 3):
        yield "a process is left"
    if not wait_until(lambda: not [g for g in groups() - before_groups
                                   if empty(g)], 3):
        yield f"control groups are left: {sorted(groups() - before_groups)}"
    if mounts() != before_mounts:
        yield "the table of mounts has changed"


def many(launcher, tools):
    null = subprocess.DEVNULL
    for i in range(SEQUENTIAL):
        r = subprocess.run(command(launcher, tools, "/usr/bin/true"),
                           stdin=null, capture_output=True, text=True)
        if r.returncode:
            yield f"run {i}: {r.returncode} {r.stderr.strip()}"
    for _ in range(5):
        running = [subprocess.Popen(
            command(launcher, tools, "/usr/bin/true"), stdin=null,
            stderr=subprocess.PIPE, text=True) for _ in range(CONCURRENT)]
        for process in running:
            _, err = process.communicate()
            if process.returncode:
                yield f"side by side: {process.returncode} {err.strip()}"


def killed(launcher, tools):
    """List 60: the launcher dies; so must all that it started."""
    process = subprocess.Popen(
        command(launcher, tools, "/var/probe", "stubborn", "held", "many"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    # The payload holds the other end; it ends when the last of them does.
    if not select.select([process.stdout], [], [], 3)[0]:
        yield "the payload outlived its launcher"
    # A group that nobody could remove goes with the next launch.
    subprocess.run(command(launcher, tools, "/usr/bin/true"),
                   stdin=subprocess.DEVNULL, check=True)


def interrupted(launcher, tools):
    """Ctrl-C, or a polite end: everything is put away before it leaves."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = subprocess.Popen(
            command(launcher, tools, "/var/probe", "stubborn", "held",
                    "many"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(number)
        if not select.select([process.stdout], [], [], 4)[0]:
            yield f"the payload outlived signal {number} to its launcher"
            process.kill()
        process.wait()


SCENES = {"many": many, "killed": killed, "interrupted": interrupted}


def main(scene, launcher, tools):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = groups(), mounts()
    wrong = [*SCENES[scene](launcher, tools), *leftovers(*before)]
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
