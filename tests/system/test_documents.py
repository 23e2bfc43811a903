# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands that need no server: check, convert, import, explain."""
import base64
import hashlib
import json
import re

import pytest
import yaml

import nfo as programs

EXAMPLES = sorted(p for p in (programs.TOP / "examples").iterdir()
                  if p.suffix in (".yaml", ".toml", ".json"))

WRONG = """\
nfo: 1
name: wrong
tasks:
  build:
    run: make
    tiemout: 5m
  test:
    needs: [bild]
    run: make check
    timeout: fast
  both:
    run: a
    argv: [b]
"""


def canonical(cold, path):
    """The server's own digest would do; here: the JSON form, without order."""
    return json.loads(cold("convert", path, "--to", "json").out)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_are_valid(cold, path):
    assert re.search(r": ok, \d+ tasks?$", cold("check", path).out, re.M)


def test_every_mistake_has_its_place(cold):
    path = cold.write("wrong.yaml", WRONG)
    lines = cold("check", path, code=2).err.splitlines()
    found = set()
    for line in lines:
        m = re.fullmatch(rf"{path}:(\d+):(\d+): error: (.+) \[([a-z-]+)\]",
                         line)
        assert m, line
        found.add((int(m[1]), int(m[2]), m[4]))
    assert (6, 5, "unknown-key") in found
    assert {line for line, _, _ in found} >= {6, 8, 10}
    assert len({line for line, _, _ in found} & {11, 12, 13}) == 1
    assert 'did you mean "timeout"?' in "".join(lines)
    assert 'did you mean "build"?' in "".join(lines)


def test_mistakes_as_json(cold):
    path = cold.write("wrong.yaml", WRONG)
    problems = json.loads(cold("check", path, "-o", "json", code=2).out)
    assert {"code", "pointer", "line", "column", "message"} <= \
        set(problems[0])
    assert "/tasks/build/tiemout" in [p["pointer"] for p in problems]


@pytest.mark.parametrize("name,text", (
    ("alias.yaml", "nfo: 1\nname: &a x\ntasks: {t: {run: *a}}\n"),
    ("twice.yaml", "nfo: 1\nname: x\nname: y\ntasks: {t: {run: a}}\n"),
    ("twice.json", '{"nfo":1,"name":"x","name":"y","tasks":{"t":{"run":"a"}}}'),
    ("deep.json", "[" * 5000 + "]" * 5000),
    ("deep.yaml", "a: " + "[" * 5000 + "]" * 5000),
    ("nul.yaml", b"nfo: 1\nname: x\0y\n"),
    ("latin.yaml", b"nfo: 1\nname: h\xe9\n"),
    ("latin.toml", b"nfo = 1\nname = \"h\xe9\"\n"),
    ("cycle.yaml", "nfo: 1\nname: x\ntasks: {a: {run: a, needs: [b]}, "
                   "b: {run: b, needs: [a]}}\n"),
    ("empty.yaml", ""), ("text.yaml", "just text"), ("open.json", "{"),
    ("tag.yaml", "nfo: 1\nname: !!python/object x\ntasks: {t: {run: a}}\n"),
    ("two.yaml", "nfo: 1\n---\nnfo: 1\n"),
    ("code.yaml", "nfo: 1\nname: x\ninputs: {a: {}}\n"
                  "tasks: {t: {run: 'echo ${{ inputs.a }}'}}\n"),
), ids=lambda v: v if isinstance(v, str) and v[-5:] in (
    ".yaml", ".json", ".toml") else "")
def test_hostile_documents_are_refused_with_a_place(cold, name, text):
    path = cold.write(name, text)
    result = cold("check", path, code=2)
    assert re.match(rf"{path}:\d+:\d+: error: .+ \[[a-z0-9-]+\]$",
                    result.err.splitlines()[0]), result.err[:500]
    assert len(result.err) < 4000


def test_a_document_of_over_1_mib_is_refused(cold):
    path = cold.write("huge.yaml", b"# " + b"x" * (1 << 20) + b"\nnfo: 1\n")
    result = cold("check", path, code=2)
    assert "huge.yaml" in result.err and len(result.err) < 200


def test_other_syntaxes_are_refused_by_name(cold):
    path = cold.write("job.hcl", "x")
    assert "hcl" in cold("check", path, code=2).err


@pytest.mark.parametrize("to", ("yaml", "json", "toml"))
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_survive_conversion(cold, path, to):
    there = cold.write(f"there.{to}", cold("convert", path, "--to", to).out)
    assert canonical(cold, there) == canonical(cold, path)
    back = path.suffix[1:]
    again = cold.write(f"again.{back}",
                       cold("convert", there, "--to", back).out)
    assert canonical(cold, again) == canonical(cold, path)


SCRIPTS = {
    "plain": b"#!/bin/bash\nset -x\necho 'a  b'\t\"$@\"\n",
    "no-end": b"#!/bin/sh\necho no newline at the end",
    "spaces": b"#!/bin/sh\n  indented\n\n\n trailing  \n\n\n",
    "crlf": b"#!/bin/sh\r\necho dos\r\n",
    "latin": b"#!/bin/sh\necho caf\xe9\n",
    "binary": b"#!/bin/sh\n" + bytes(range(1, 256)) + b"\n",
    "yaml": b"#!/bin/sh\n---\n# : & * ! | > '\n%\n...\n",
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_import_keeps_every_byte(cold, kind):
    script = cold.write(f"{kind}.sh", SCRIPTS[kind])
    result = cold("import", script)
    job = yaml.safe_load(result.out)
    (task,) = job["tasks"].values()
    body = task["run"]
    if isinstance(body, dict):
        body = base64.b64decode(body["base64"])
        assert "base64" in result.err
    else:
        body = body.encode()
    assert body == SCRIPTS[kind]
    assert cold("check", cold.write("imported.yaml", result.out))


def test_imported_script_sees_its_own_bytes(nfo):
    text = b"#!/bin/sh\n: '\x01\xe9\r'\nsha256sum < \"$0\"\n"
    job = nfo.write("job.yaml", nfo("import", nfo.write("x.sh", text)).out)
    assert hashlib.sha256(text).hexdigest() in nfo("run", job).out


def test_explain_a_key_and_all(cold):
    assert "1h" in cold("explain", "timeout").out
    assert "memory" in cold("explain", "sandbox.limits").out
    every = cold("explain").out
    assert "needs" in every and "artifacts" in every
    assert "tiemout" in cold("explain", "tiemout", code=2).err


def test_version(cold):
    assert re.fullmatch(r"nfo \d+\.\d+\.\d+\n", cold("version").out)
    assert cold("--version").out == cold("version").out
