# SPDX-License-Identifier: AGPL-3.0-or-later
"""The double of tests/fakebao beside the real server.  As root all of it runs
where the system tests do, and with their fixtures."""
import importlib.util
import pathlib
import shutil
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/system")]
from fakebao import FakeBao  # noqa: E402

import real as servers  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "system_conftest", TOP / "tests/system/conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)
pytest_configure = _system.pytest_configure
guard, home, cold, nfo = (_system.guard, _system.home, _system.cold,
                          _system.nfo)


@pytest.fixture
def double():
    with FakeBao() as it:
        yield it


@pytest.fixture(scope="module")
def module_double():
    with FakeBao() as it:
        yield it


@pytest.fixture(scope="session")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="bao-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def real(place):
    """The real server with -dev; what asks for it is skipped without one."""
    it = servers.Dev(place)
    yield it
    it.stop()


@pytest.fixture(scope="session")
def cluster(place):
    it = servers.Cluster(place)
    yield it
    it.stop()
