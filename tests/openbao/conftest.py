# SPDX-License-Identifier: AGPL-3.0-or-later
"""The double of tests/fakebao beside the real server."""
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/system")]
from fakebao import FakeBao  # noqa: E402


@pytest.fixture
def double():
    with FakeBao() as it:
        yield it
