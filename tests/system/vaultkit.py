# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests with a Vault share: the double, as a fixture (in conftest.py)."""
import sys

import pytest

import nfo as programs

sys.path.insert(0, str(programs.TOP / "tests"))
from fakebao import FakeBao  # noqa: E402


@pytest.fixture
def bao():
    """A server of the double on loopback without TLS, see tests/fakebao."""
    with FakeBao() as it:
        yield it


@pytest.fixture
def tls_bao():
    """The same with TLS; .ca_file is what to trust."""
    with FakeBao(tls="good") as it:
        yield it
