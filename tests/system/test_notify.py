# SPDX-License-Identifier: AGPL-3.0-or-later
"""What systemd is told, by datagrams: ready, reloading, stopping, and that the
server answers."""
import os
import secrets
import signal
import socket

import pytest

import nfo as programs


class Manager:
    """The service manager's end."""

    def __init__(self, nfo, name):
        self.nfo = nfo
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1))
        self.socket.settimeout(programs.LIMIT)
        nfo.env["NOTIFY_SOCKET"] = name

    def next(self, limit=None):
        """The lines of the next message; None: none came."""
        self.socket.settimeout(limit or programs.LIMIT)
        try:
            return self.socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return None

    def until(self, line):
        while True:
            lines = self.next()
            assert lines is not None, f"{line} never came"
            if line in lines:
                return lines


@pytest.fixture
def manager(cold):
    it = Manager(cold, str(cold.home / "notify"))
    yield it
    it.socket.close()


def test_ready_and_stopping(cold, manager):
    cold.serve()
    manager.until("READY=1")
    assert cold.get("/healthz").status == 200
    cold.stop()
    manager.until("STOPPING=1")


def test_an_abstract_socket(cold):
    manager = Manager(cold, f"@nfo-test-{secrets.token_hex(8)}")
    cold.serve()
    manager.until("READY=1")
    manager.socket.close()


def test_a_reload(cold, manager):
    cold.serve()
    manager.until("READY=1")
    os.kill(cold.monitor(), signal.SIGHUP)
    lines = manager.until("RELOADING=1")
    assert [x for x in lines if x.startswith("MONOTONIC_USEC=")]
    manager.until("READY=1")


def test_the_roles_do_not_inherit_it(cold, manager):
    if os.geteuid() != 0:
        pytest.skip("a role's environment is not a user's to read")
    cold.serve()
    for role in ("server", "keeper", "spawner"):
        with open(f"/proc/{cold.role(role)}/environ", "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read()


def test_the_watchdog_is_fed_while_the_server_answers(cold, manager):
    cold.env["WATCHDOG_USEC"] = "900000"
    cold.serve()
    for _ in range(3):
        manager.until("WATCHDOG=1")
    server = cold.role("server")
    os.kill(server, signal.SIGSTOP)
    while manager.next(0.4):  # what was under way
        pass
    assert manager.next(1) is None
    os.kill(server, signal.SIGCONT)
    manager.until("WATCHDOG=1")


def test_somebody_else_s_watchdog(cold, manager):
    cold.env |= {"WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"}
    cold.serve()
    manager.until("READY=1")
    assert manager.next(1) is None


@pytest.mark.parametrize("name", ("relative", "@", "/" + "x" * 200))
def test_no_address(cold, name):
    cold.env["NOTIFY_SOCKET"] = name
    with cold.popen("serve", "--cgroups", "prefer") as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 2 and b"NOTIFY_SOCKET" in err


def test_a_manager_that_has_gone_is_no_reason_to_stop(cold, manager):
    manager.socket.close()
    os.unlink(cold.home / "notify")
    cold.serve()
    assert cold.get("/healthz").status == 200
