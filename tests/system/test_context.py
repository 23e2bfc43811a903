# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers by name: `nfo context`, and which server a command asks."""
import json

import pytest

JOB = "nfo: 1\nname: small\ntasks: { a: { run: echo hi } }\n"


@pytest.fixture
def named(tcp):
    """A server over TCP as the context `here`, with a token of its own."""
    path = tcp.write("here.token", tcp.token + "\n")
    path.chmod(0o600)
    tcp("context", "set", "here", "--url", f"http://127.0.0.1:{tcp.port}",
        "--token-file", path)
    tcp.config = tcp.home / ".config/nfo/config.yaml"
    return tcp


def test_a_context_is_chosen_by_option_environment_and_use(named):
    assert named.config.stat().st_mode & 0o777 == 0o600
    assert named.token not in named.config.read_text()
    who = "/v1/whoami"
    over_tcp = json.loads(named("api", "GET", who, "--context", "here").out)
    private = json.loads(named("api", "GET", who).out)
    assert over_tcp != private
    named.env["NFO_CONTEXT"] = "here"
    assert json.loads(named("api", "GET", who).out) == over_tcp
    assert json.loads(named("api", "GET", who, "--context", "private").out) \
        == private
    del named.env["NFO_CONTEXT"]
    named("context", "use", "here")
    assert json.loads(named("api", "GET", who).out) == over_tcp
    assert named("context", "list").out.splitlines()[2].startswith("*  here")
    listed = json.loads(named("context", "list", "-o", "json").out)
    assert listed["current"] == "here"
    # A server that is named by itself goes before the one in use.
    assert json.loads(named("api", "GET", who, "--server",
                            f"unix:{named.socket}").out) == private
    named("context", "rm", "here")
    assert json.loads(named("context", "list", "-o", "json").out) \
        == {"current": "private", "items": []}
    assert json.loads(named("api", "GET", who).out) == private


def test_the_project_of_a_context(named):
    job = named.write("small.yaml", JOB + "project: web\n")
    named("context", "set", "here", "--project", "web")
    named("job", "put", job, "--context", "here")
    named.env["NFO_CONTEXT"] = "here"
    assert "small" in named("job", "list").out
    assert "small" not in named("job", "list", "--project", "default").out
    assert "small" in named("__complete", "job", "get", "").out
    named.env["NFO_PROJECT"] = "default"
    assert "small" not in named("job", "list").out


def test_what_is_wrong_is_told_with_its_place(named):
    named.config.write_text("current: here\ncontexts:\n  here:\n"
                            "    servr: http://127.0.0.1:1\n")
    told = named("runs", code=2).err
    assert f"{named.config}:4:5: error: unknown key" in told
    assert "names no server" in told
    named.config.write_text("current: gone\n")
    assert 'no context "gone"' in named("runs", code=2).err
    named.config.write_text("current: [\n")
    assert f"{named.config}:" in named("runs", code=2).err


def test_a_token_is_kept_from_others(named):
    (named.home / "here.token").chmod(0o644)
    assert "chmod 600" in named("runs", "--context", "here", code=3).err
    (named.home / "here.token").chmod(0o600)
    named("context", "set", "far", "--url", "http://192.0.2.1:7070",
          "--token-file", named.home / "here.token")
    assert "in clear" in named("runs", "--context", "far", code=3).err
    for host in ("127.0.0.1.example", "127.example:7070", "localhost:1@192.0.2.1",
                 "[::1]@192.0.2.1", "[::1]x", "localhost.example"):
        named("context", "set", "far", "--url", f"http://{host}",
              "--token-file", named.home / "here.token")
        assert "in clear" in named("runs", "--context", "far", code=3).err


def test_names_and_mistakes(cold):
    for words in (("set", "new"), ("use", "gone"), ("rm", "gone"),
                  ("set", "private", "--url", "unix:/x"),
                  ("set", "../x", "--url", "unix:/x"), ("list", "x"), ()):
        assert cold("context", *words, code=2).err
    assert not (cold.home / ".config").exists()
    both = cold("runs", "--context", "x", "--server", "unix:/x", code=2)
    assert "both" in both.err
