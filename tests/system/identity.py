# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tokens of attempts, as somebody else sees them."""


def allow(nfo, audiences='["**"]'):
    """What policy lets tokens be for."""
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    text = path.read_text()
    old = "      deliver: [file, fd, stdin]\n"
    assert old in text
    path.write_text(text.replace(old, old +
                                 f"      identities: {audiences}\n"
                                 "      artifact_secrets: true\n"))


def job(name="release", audience="https://vault.example:8200", ttl="5m",
        run='cp "$NFO_SECRETS/vault" token', more=""):
    """A task that keeps its token as an artifact."""
    return f"""nfo: 1
name: {name}
tasks:
  publish:
    identity: {{ vault: {{ audience: "{audience}", ttl: {ttl} }} }}
    artifacts: {{ token: {{ path: token, allow_secret: true }} }}
    run: |
      {run}
{more}"""


def token_of(nfo, text, **more):
    """The token that a run of this job gets, and the run."""
    a = nfo.submit(text, wait="60s", **more)
    assert a.status == 201 and a.json["state"] == "succeeded", a
    run = a.json
    got = nfo.get(f"/v1/runs/{run['id']}/artifacts/publish.token")
    assert got.status == 200
    return got.body.decode(), run
