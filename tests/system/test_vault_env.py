# SPDX-License-Identifier: AGPL-3.0-or-later
"""The variables of Vault's own tools: the token leaves the environment, and
what would be wrong to do is not done."""
import os
import pathlib

import pytest

TOKEN = "hvs.Zm9yYmlkZGVuLXRva2Vu"
ADDR = "http://127.0.0.1:9"  # nobody is there


def everywhere(nfo):
    """What others may read of every process of the server."""
    found = {}
    for pid in nfo.processes():
        for name in ("environ", "cmdline"):
            try:
                found[pid, name] = \
                    pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except ProcessLookupError:
                pass
            except PermissionError:  # not dumpable: nobody reads it
                pass
    return found


def nowhere(nfo):
    seen = everywhere(nfo)
    assert seen
    for where, content in seen.items():
        assert TOKEN.encode() not in content, where
        assert b"_TOKEN" not in content, where
    for root, _, names in os.walk(nfo.home):
        for name in names:
            path = pathlib.Path(root) / name
            if path.is_file():
                assert TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("prefix", ["BAO_", "VAULT_"])
def test_the_token_is_in_no_environment_and_no_argument(cold, prefix):
    cold.env[f"{prefix}ADDR"] = ADDR
    cold.env[f"{prefix}TOKEN"] = TOKEN
    cold.serve()
    nowhere(cold)
    assert any(b"--secret-providers" in c for (_, name), c
               in everywhere(cold).items() if name == "cmdline")


def test_of_a_private_server_as_well(cold):
    cold.env["BAO_ADDR"] = ADDR
    cold.env["BAO_TOKEN"] = TOKEN
    cold("runs")
    assert any(b"--secret-providers" in c for (_, name), c
               in everywhere(cold).items() if name == "cmdline")
    nowhere(cold)


def test_it_goes_also_where_it_is_of_no_use(cold):
    cold.env["BAO_TOKEN"] = TOKEN
    cold.env["VAULT_TOKEN"] = TOKEN
    cold.serve()
    nowhere(cold)
    assert not any(b"--secret-providers" in c for (_, name), c
                   in everywhere(cold).items() if name == "cmdline")


@pytest.mark.parametrize("more, says", [
    ({"BAO_SKIP_VERIFY": "true"}, "BAO_CACERT"),
    ({"VAULT_SKIP_VERIFY": "1"}, "VAULT_SKIP_VERIFY is not followed"),
    ({"BAO_ADDR": "http://vault.example.com:8200"}, "address"),
    ({"BAO_ADDR": "unix:///run/vault.sock"}, "address"),
    ({"BAO_TOKEN": ""}, "no way to log in"),
    ({"BAO_TOKEN": "x" * 9000}, "BAO_TOKEN: over"),
])
def test_what_is_wrong_is_said_and_refused(cold, more, says):
    cold.env["BAO_ADDR"] = ADDR
    cold.env["BAO_TOKEN"] = TOKEN
    cold.env.update(more)
    r = cold("serve", code=None)
    assert r.code != 0 and says in r.err and TOKEN not in r.err, r
    # the private server goes on without, and says so
    r = cold("runs")
    assert says in r.err and TOKEN not in r.err, r


def test_skip_verify_that_says_no_is_no(cold):
    cold.env["BAO_ADDR"] = ADDR
    cold.env["BAO_TOKEN"] = TOKEN
    cold.env["BAO_SKIP_VERIFY"] = "false"
    cold.serve()
    nowhere(cold)
