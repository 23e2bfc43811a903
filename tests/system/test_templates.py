# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets in text: each value stays in its place, whatever it is, and is in
no log."""
import json
import shlex
import urllib.parse

import pytest
import yaml

HEAD = """
inputs: { who: { type: string, default: "a'b\\"c" } }
secrets: { key: { store: key }, two: { store: two } }
"""
VALUES = [b"plain-and-simple-text", b"it's \"quoted\" \\ and $(id) `id` ${x}",
          b"two\nlines: {a: b}, # no comment\n- [x\n", b"caf\xc3\xa9 \xe2\x80\xa8 nel\xc2\x85",
          b"' || true #\ttab", b"{{ }} ${{ secrets.two.value }}"]


def put(nfo, name, value):
    nfo("secret", "put", name, stdin=value)


def made(nfo, text, value, script, name="f"):
    """What the script makes of a template, as base64 backwards: no form of a
    secret that is looked for."""
    put(nfo, "key", value)
    put(nfo, "two", b"another-secret-value")
    run = nfo.run(HEAD + "tasks:\n  t:\n    secrets: [key, two]\n"
                  f"    templates: {{ {name}: {{ text: {json.dumps(text)} }} }}\n"
                  f"    run: {json.dumps(script)}\n")
    return run, nfo.log(run, "t")


def read_back(nfo, text, value):
    run, log = made(nfo, text, value, "tr 'A-Za-z' 'N-ZA-Mn-za-m' < "
                    "\"$NFO_SECRETS/f\" | od -An -tu1 -v")
    assert run["state"] == "succeeded", run
    plain = bytes(int(n) for n in log.split())
    return plain.translate(bytes.maketrans(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        b"NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"))


@pytest.mark.parametrize("value", VALUES)
def test_every_quote_is_read_back_by_who_knows_it(nfo, value):
    """In one file, between marks that no value has."""
    text = "".join(f"<<{q}>>${{{{ {q}(secrets.key.value) }}}}"
                   for q in ("json", "yaml", "shell", "url"))
    got = read_back(nfo, text + "<<end>>", value)
    parts = {}
    for q, after in zip(("json", "yaml", "shell", "url"),
                        ("yaml", "shell", "url", "end")):
        begin = got.index(b"<<%s>>" % q.encode()) + len(q) + 4
        parts[q] = got[begin:got.index(b"<<%s>>" % after.encode())].decode()
    plain = value.decode()
    assert json.loads(parts["json"]) == plain
    assert yaml.safe_load("- " + parts["yaml"]) == [plain]
    assert shlex.split(parts["shell"]) == [plain]
    assert urllib.parse.unquote(parts["url"]) == plain


def test_several_secrets_inputs_and_modes(nfo):
    put(nfo, "key", b"the-first-secret")
    put(nfo, "two", b"the-second-secret")
    run = nfo.run(HEAD + """
tasks:
  t:
    secrets: [key, two]
    templates:
      conf: { file: app.conf, text: "u=${{ shell(inputs.who) }} a=${{ secrets.key.value }} b=${{ line(secrets.two.value) }} p=${{ secrets.key.path }}" }
      b64: { text: "${{ base64(secrets.two.value) }}" }
    argv: [/bin/sh, -c, 'cat "$1"; echo; stat -c "%a %F" "$1"; cat "$NFO_SECRETS/b64"; cmp "$NFO_SECRETS/key" "$NFO_SECRETS/two"; printf no > "$1" || exit 0', x, "${{ templates.conf.path }}"]
""")
    assert run["state"] == "succeeded", run
    log = nfo.log(run, "t").decode()
    assert log.splitlines()[0] == \
        """u='a'\\''b"c' a=[REDACTED] b=[REDACTED] p=/run/nfo/secrets/key"""
    assert "400 regular file" in log
    assert "dGhl" not in log


def test_a_value_that_cannot_stand_there_fails_without_it(nfo):
    for quote, value in (("line", b"one\ntwo-lines"), ("json", b"\xff\xfe-bytes")):
        run, _ = made(nfo, "${{ %s(secrets.key.value) }}" % quote, value, "true")
        task = nfo.tasks(run)["t"]
        assert (task["state"], task["kind"]) == ("failed", "secret"), task
        assert 'template "f": secret "key": ' in task["error"]
        assert "two-lines" not in task["error"] and "bytes-" not in task["error"]


def test_one_that_grows_too_large_fails(nfo):
    run, _ = made(nfo, "${{ secrets.key.value }}" * 10, b"x" * 60000, "true")
    task = nfo.tasks(run)["t"]
    assert (task["kind"], "over 256 KiB" in task["error"]) == ("secret", True)
