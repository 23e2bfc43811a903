# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a sandbox ends: codes, deadlines, payloads that will not go."""
import os
import pty
import signal
import subprocess
import time

import pytest

import jail as jails

STUBBORN = ("sleep", "spin", "stop", "vfork", "many")


def probe(jail, profile, name, *args, options=()):
    return [*jail.sandbox(profile, *options), f"{jails.TOOLS}/probe", name,
            "held", *args]


@pytest.mark.parametrize("code", (0, 1, 2, 125, 127, 255))
def test_exit_code(jail, who, code):
    assert jail.run(who, probe(jail, "default", "end_with", "exit",
                               str(code))).code == code


@pytest.mark.parametrize("number", ("KILL", "SEGV", "TERM", "SYS", "ABRT",
                                    "PIPE"))
def test_signal(jail, who, number):
    number = getattr(signal, "SIG" + number).value
    assert jail.run(who, probe(jail, "default", "end_with", "signal",
                               str(number))).code == 128 + number


@pytest.mark.parametrize("program,code", (
    ("/no/such/program", 127), ("/etc/passwd", 126), ("/usr", 126),
    # List 3: descriptors of the host's root, open in the launcher.
    ("/proc/self/fd/77/bin/true", 127), ("/proc/self/fd/900/bin/true", 127),
    ("/proc/1/root/usr/bin/true", 127), ("/proc/self/exe", 127)))
def test_cannot_execute(jail, who, program, code):
    result = jail.run(who, [*jail.sandbox("default"), program])
    assert result.code in (code, 126, 127) and result.err
    assert result.out == ""


def test_stubborn_payloads_end_at_the_deadline(jail, who):
    """List 52 and 54, side by side: one second, and one more of grace."""
    begun = time.monotonic()
    running = [(kind, jail.start(who, probe(jail, "default", "stubborn", kind,
                                            options=("--timeout", "1s"))))
               for kind in STUBBORN]
    for kind, process in running:
        result = jail.finish(process, begun)
        assert result.out == "started\n", (kind, result)
        assert result.code == 124, (kind, result)
        # Two seconds are due; the rest is for a busy machine.
        assert 1.9 < result.seconds < 4, (kind, result)


def test_stdin_is_not_opened_again(jail, host, who):
    """Of a file given for reading the payload cannot make a writable one."""
    expect = "EACCES,EPERM,EROFS,ENOENT,EINVAL,EXDEV"
    with open(host["host_file"], "rb") as file:
        result = jail.run(who, [
            *jail.sandbox("default"), f"{jails.TOOLS}/probe", "reopen_stdin",
            expect], stdin=file)
        assert result.code == 0, (result.line("reopen_stdin"), result.err)
        bare = jail.run(who, [jail.probe, "reopen_stdin", expect], stdin=file)
        assert bare.code == 1, bare


def test_directory_as_stdin(jail, who):
    """List 1: a directory of the host is a way out also as descriptor 0."""
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    result = jail.run(who, [
        *jail.sandbox("default"), f"{jails.TOOLS}/probe", "climb_stdin",
        "EACCES,EPERM,ENOTDIR,ENOENT"], stdin=root)
    os.close(root)
    assert result.code in (0, 125), result.line("climb_stdin")


def test_full_stdin_does_not_hold_it(jail, who):
    """A payload that never reads, and input that never ends."""
    source, sink = os.pipe()
    try:
        os.set_blocking(sink, False)
        os.write(sink, b"x" * 65536)
        result = jail.run(who, probe(jail, "default", "stubborn", "sleep",
                                     options=("--timeout", "1s")),
                          stdin=source)
    finally:
        os.close(source)
        os.close(sink)
    assert result.code == 124 and result.seconds < 4, result


def test_daemon_ends_with_the_payload(jail, who):
    """List 53: it holds our stdout, which must come to its end."""
    result = jail.run(who, probe(jail, "default", "leave_daemon"))
    assert result.code == 0 and result.line("leave_daemon"), result
    assert result.seconds < 4


def test_closed_stdout(jail, who):
    """Nobody reads what the payload writes: it ends, with SIGPIPE."""
    source, sink = os.pipe()
    os.close(source)
    result = jail.run(who, [*jail.sandbox("default"), "sh", "-c",
                            "while :; do echo x; done"],
                      stdout=sink, stderr=subprocess.DEVNULL)
    os.close(sink)
    assert result.code != 0 and result.seconds < 4


def take_terminal(slave):
    """In the child: a session of its own with the terminal as controlling."""
    import fcntl
    import termios
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("profile", ("strict", "default", "build"))
def test_terminal_of_the_caller(jail, who, profile):
    """List 35, with a real terminal as stdin."""
    master, slave = pty.openpty()
    for name, expect in (("terminal_ioctls", "EPERM,ENOSYS,EACCES"),
                         ("terminal", "held,ENXIO,ENOENT,EPERM,ENOTTY")):
        command = [*jail.sandbox(profile), f"{jails.TOOLS}/probe", name,
                   expect]
        result = jail.run(who, command, stdin=slave,
                          preexec_fn=lambda: take_terminal(slave))
        assert result.code == 0, (result.line(name), result.err)
    os.close(slave)
    os.close(master)


def test_out_of_memory_is_said(jail, who):
    """List 49: killed by its own limit, and the caller is told why."""
    result = jail.run(who, probe(jail, "default", "memory", "anonymous",
                                 options=("--memory", "64M")))
    if "not enforced" in result.err:
        pytest.skip(f"no control group for {who}")
    assert "memory limit" in result.err, result


def test_what_is_not_enforced_is_said_first(jail, who):
    """Before the program runs, and so before anything that it writes."""
    result = jail.run(who, ["/bin/sh", "-c", 'exec "$@" 2>&1', "sh",
                            *jail.sandbox("default", "--memory", "64M"),
                            "echo", "ran"])
    assert result.code == 0 and result.out.endswith("ran\n"), result
    if result.out == "ran\n":
        pytest.skip(f"all of it is enforced for {who}")
    assert result.out.startswith("nfo sandbox: not enforced here:"), result


@pytest.mark.parametrize("kind", ("memory", "pids"))
def test_limits_can_be_required(jail, who, kind):
    """Without a control group `--cgroups require` refuses."""
    value = {"memory": "64M", "pids": "64"}[kind]
    result = jail.run(who, [*jail.sandbox("default", "--cgroups", "require",
                                          f"--{kind}", value), "true"])
    assert result.code in (0, 125)
    assert result.code == 0 or "cgroup" in result.err
