# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a task that knows its secret does to get it past the redactor."""
import random

import pytest

SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/_-"


def value_of(seed, n=24):
    dice = random.Random(seed)
    return "".join(dice.choice(SIGNS) for _ in range(n))


def job(script, uses="key: { store: key }", more=""):
    body = "\n".join("      " + line for line in script.splitlines())
    return f"""
secrets: {{ {uses} }}
tasks:
  t:
    secrets: [key]
    shell: /bin/bash
{more}    run: |
      key=$NFO_SECRETS/key
{body}
"""


@pytest.fixture
def key(nfo):
    nfo.value = value_of(1)
    nfo("secret", "put", "key", stdin=nfo.value)
    return nfo.value


HALVES = 'head -c 12 "$key"; tail -c +13 "$key" >&2'
# Two pipes have no common order, but for the time between the writes.
BYTES = ('v=$(cat "$key"); for ((i = 0; i < ${#v}; i++)); do\n'
         '  printf %s "${v:i:1}" >&$((1 + i % 2)); sleep 0.02\ndone')


@pytest.mark.parametrize("script", [HALVES, BYTES], ids=["halves", "bytes"])
def test_both_streams_as_one(nfo, key, script):
    """Neither stream has it, a reader of both would: no form is kept in
    the order of arrival, and who asked for it fails."""
    run = nfo.run(job(script, "key: { store: key, on_leak: fail }"))
    assert nfo.tasks(run)["t"]["kind"] == "leak", run
    run = nfo.run(job(script))
    assert run["state"] == "succeeded", run
