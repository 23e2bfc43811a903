# SPDX-License-Identifier: AGPL-3.0-or-later
"""A fresh server for each test, ended and looked after behind its back.

NFO_BIN is the directory of the programs; build/release/bin if unset.  As root
the whole suite moves into a throw-away mount and pid namespace first: there
one wrong mount would hide the machine's /tmp or /proc."""
import os
import pathlib
import shutil
import socket
import sys
import tempfile

import pytest

import nfo as programs
from vaultkit import bao, tls_bao, vault  # noqa: F401

INSIDE = "NFO_SYSTEM_TESTS_INSIDE"


def pytest_configure(config):
    if os.geteuid() != 0 or os.environ.get(INSIDE):
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture:
        capture.stop_global_capturing()
    os.environ[INSIDE] = os.readlink("/proc/self/ns/mnt")
    # The shell is pid 1: it reaps what loses its parent.
    os.execvp("unshare", [
        "unshare", "-m", "-p", "-f", "--mount-proc", "--propagation",
        "private", "--kill-child", "/bin/sh", "-c", '"$@"; exit $?', "sh",
        sys.executable, "-m", "pytest", *config.invocation_params.args])


@pytest.fixture(scope="session", autouse=True)
def guard():
    """Root's tests never run in the machine's own namespaces."""
    if os.geteuid() == 0:
        assert os.environ[INSIDE] != os.readlink("/proc/self/ns/mnt")
    for name in ("nfo", "nfo-monitor", "nfo-server"):
        assert (programs.BIN / name).exists(), \
            f"{programs.BIN / name} is not built"


@pytest.fixture
def home():
    """A directory with a short name that other users may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="nfo-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def cold(home):
    """No server yet; whatever is started ends with the test."""
    it = programs.Nfo(home)
    yield it
    it.stop()
    assert it.left_behind() == []
    assert it.traces() == []


@pytest.fixture
def nfo(cold):
    """The private server, as the first command starts it."""
    cold("runs")
    return cold


@pytest.fixture
def tcp(cold):
    """A server that also listens on loopback; its port and token."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    cold.serve("--listen", f"127.0.0.1:{port}")
    cold.port = port
    cold.token = (cold.state / "server/token").read_text().strip()
    return cold
