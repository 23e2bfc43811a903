# SPDX-License-Identifier: AGPL-3.0-or-later
"""A test double of an OpenBao or Vault server, for use within a test's process:

    bao = FakeBao()                  # listens on loopback, has a root token
    bao.kv("kv", "app", {"user": "u", "password": "p"})
    bao.policy("jobs", 'path "kv/data/*" { capabilities = ["read"] }')
    role_id, secret_id = bao.approle("nfo", ["jobs"])
    bao.fault("GET kv/data/*", "sealed", times=2)
    bao.advance(3600)                # its clock; what has run out is revoked
    bao.requests                     # each with its headers
    bao.stop()

Everything else goes through the HTTP API as with the real one (.ask() is a
shorthand).  What it answers is held to the real server by tests/openbao."""
from .server import FakeBao

__all__ = ["FakeBao"]
