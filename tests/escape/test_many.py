# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many sandboxes: nothing is left of them, and none sees another."""
import pathlib
import subprocess

import pytest

import jail as jails
import scenery

INSIDE = pathlib.Path(__file__).with_name("inside.py")


@pytest.mark.parametrize("scene", ("many", "killed", "interrupted"))
def test_nothing_is_left(jail, home, who, scene):
    """List 71 (in a short form) and 60."""
    script = home / "inside.py"
    script.write_text(INSIDE.read_text())
    result = jail.run(who, ["/usr/bin/python3", script, scene, jail.nfo,
                            jail.tools], limit=60)
    assert result.code == 0, (result.out, result.err)


def probe(jail, name, expect, *args):
    return [*jail.sandbox("default"), f"{jails.TOOLS}/probe", name, expect,
            *args]


@pytest.fixture
def neighbour(jail, who):
    """A sandbox that has left traces and waits for the end of its input."""
    process = jail.start(who, probe(jail, "leave_traces", "held",
                                    "nfo-trace", "0x4e4601"),
                         stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n", process.communicate()
    yield process
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, (out, err)


def test_neighbours_share_nothing(jail, who, neighbour):
    """List 21, 23, 72."""
    expect = "ENOENT,ECONNREFUSED,EPERM,EACCES"
    result = jail.run(who, probe(jail, "find_traces", expect, "nfo-trace",
                                 "0x4e4601"))
    assert result.code == 0, (result.line("find_traces"), result.err)


def test_traces_would_be_found(jail, who):
    """The same two without a sandbox: every trace is seen."""
    left = jail.start(who, [jail.probe, "leave_traces", "held",
                            scenery.NAME + "t", "0x4e4602"],
                      stdin=subprocess.PIPE)
    try:
        assert left.stdout.readline() == "ready\n"
        result = jail.run_bare(who, "find_traces", "ok",
                               (scenery.NAME + "t", "0x4e4602"))
        assert result.code == 0, result
    finally:
        left.communicate(timeout=20)
        jail.run_bare(who, "remove_traces", "ok",
                      (scenery.NAME + "t", "0x4e4602"))


def test_uids_of_neighbours_differ(jail, who):
    """List 72: as root each sandbox that runs has a uid of its own."""
    if who == "user":
        pytest.skip("a user without subordinate ids has one uid to give")
    running = [jail.start(who, [*jail.sandbox("default"), "sh", "-c",
                                "id -u; read x"], stdin=subprocess.PIPE)
               for _ in range(3)]
    uids = [process.stdout.readline().strip() for process in running]
    for process in running:
        process.communicate(timeout=20)
    assert len(set(uids)) == 3 and "0" not in uids, uids


def test_guard_refuses_the_host(jail):
    """What mounts is never started in the host's mount namespace."""
    result = subprocess.run(
        [jail.probe, "guard", "-", jails.HOST_MOUNTS, "/usr/bin/true"],
        capture_output=True, text=True)
    assert result.returncode == 124 and "host" in result.stderr
