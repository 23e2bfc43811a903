# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nfo doctor` names the step that is refused, by what, and the remedy; and
its verdict is that of `nfo sandbox`."""
import errno
import json

import pytest

from test_faults import CALLS, VITAL


def doctor(jail, who, *front):
    result = jail.run(who, [*front, jail.nfo, "doctor", "--output", "json"],
                      limit=60)
    report = json.loads(result.out)
    assert result.code == (0 if report["usable"] else 1), result
    return report, {s["step"]: s for s in report["steps"]}


def refuse(jail, call, error):
    return [jail.probe, "refuse", "-", str(CALLS[call]),
            str(getattr(errno, error))]


def sandbox_works(jail, who, *front):
    return jail.run(who, [*front, *jail.sandbox("strict"), "true"]).code == 0


def test_all_is_said(jail, who):
    report, steps = doctor(jail, who)
    assert report["user"] == ("root" if who == "root" else "ordinary")
    assert report["usable"], report
    assert steps["sandbox"]["verdict"] == "ok"
    assert ("user-namespace" in steps) == (who != "root")
    for step in report["steps"]:
        if step["verdict"] == "missing":
            assert step["cause"] and step["remedy"], step


@pytest.mark.parametrize("call, step", (
    ("clone3", "clone3"), ("fsopen", "mounts"), ("mount_setattr", "mounts"),
    ("pivot_root", "mounts"), ("seccomp", "seccomp"),
    ("landlock_create_ruleset", "landlock")))
def test_refused_step(jail, who, call, step):
    front = refuse(jail, call, "ENOSYS")
    report, steps = doctor(jail, who, *front)
    assert not report["usable"], report
    assert steps[step]["verdict"] == "refused", report
    assert steps[step]["error"] == "ENOSYS", steps[step]
    assert steps[step]["cause"] and steps[step]["remedy"], steps[step]


@pytest.mark.parametrize("call", sorted(VITAL))
def test_verdict_is_that_of_the_sandbox(jail, who, call):
    front = refuse(jail, call, "EPERM")
    report, _ = doctor(jail, who, *front)
    assert report["usable"] == sandbox_works(jail, who, *front), report


def test_no_user_namespaces(jail, who):
    """The limit of a user namespace around us is 0."""
    if who == "root":
        pytest.skip("root needs no user namespace")
    front = ["unshare", "-U", "--map-current-user", "--keep-caps", "sh", "-c",
             "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"",
             "sh"]
    report, steps = doctor(jail, who, *front)
    assert not report["usable"]
    assert steps["user-namespace"]["error"] == "ENOSPC", report
    assert "max_user_namespaces" in steps["user-namespace"]["cause"]
    assert steps["mounts"]["verdict"] == "skipped"


def test_masked_proc(jail, who):
    """As in a container: a mount over a part of /proc."""
    if who == "root":
        pytest.skip("root mounts a proc all the same")
    front = ["unshare", "-U", "-r", "-m", "sh", "-c",
             "mount -t tmpfs none /proc/sys &&"
             " exec unshare -U --map-user=1000 --map-group=1000 \"$@\"", "sh"]
    report, steps = doctor(jail, who, *front)
    assert not report["usable"]
    assert steps["proc"]["verdict"] == "refused", report
    assert "covered" in steps["proc"]["cause"], steps["proc"]


def test_mistakes(jail):
    result = jail.run("user", [jail.nfo, "doctor", "--output", "yaml"])
    assert result.code == 2 and "--help" in result.err
    assert jail.run("user", [jail.nfo, "doctor", "--help"]).code == 0
