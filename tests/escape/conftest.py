# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures: the programs under test, the scenery, who runs them.

NFO_BIN is the directory of nfo and escape_probe; build/release/bin if unset."""
import hashlib
import os
import pathlib
import shutil
import socket
import tempfile

import pytest

import jail as jails
import scenery

TOP = pathlib.Path(__file__).resolve().parents[2]


def pytest_generate_tests(metafunc):
    if "who" in metafunc.fixturenames:
        metafunc.parametrize("who", jails.WHO)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def home():
    """A directory that any user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="nfo-escape-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def jail(home):
    binaries = pathlib.Path(
        os.environ.get("NFO_BIN", TOP / "build/release/bin"))
    for name in ("nfo", "escape_probe"):
        assert (binaries / name).exists(), f"{binaries / name} is not built"
    scenery.open_planted()
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                   "HOME": str(home), "ESCAPE_SECRET": scenery.SECRET}
    it = jails.Jail(home, binaries, scenery.PLANTED_FDS, environment)
    before = digest(it.nfo), digest(it.probe)  # list 8
    if os.geteuid() == 0:
        scenery.privileged_copies(it.tools)
    yield it
    for fd in scenery.PLANTED_FDS:
        os.close(fd)
    assert (digest(it.nfo), digest(it.probe)) == before


@pytest.fixture(scope="session")
def host(jail, home):
    """Names for the table's arguments."""
    (home / "file").write_text(scenery.SECRET)
    (home / "file").chmod(0o666)
    (home / "work").mkdir()
    (home / "work").chmod(0o1777)
    with scenery.shared_objects(), scenery.sockets(home) as names:
        yield {**names, "tools": jails.TOOLS, "host_tools": str(jail.tools),
               "launcher": str(jail.nfo), "host_file": str(home / "file"),
               "work": str(home / "work"),
               "pid": str(os.getpid()), "hostname": socket.gethostname(),
               "key": hex(scenery.KEY), "queue": "/" + scenery.NAME,
               "shm_file": scenery.NAME, "secret": scenery.SECRET}
