# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets out of one store and into another as files of age, which no server
on the way can read; age of Debian is the other end."""
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

import nfo as programs

pytestmark = pytest.mark.skipif(not shutil.which("age"),
                                reason="age is not installed")


def raw(nfo, *args, stdin=b"", code=0):
    """A command whose output is octets."""
    with nfo.popen(*args, stdin=subprocess.PIPE) as p:
        out, err = p.communicate(stdin, timeout=programs.LIMIT)
    assert p.returncode == code, err
    return out, err.decode()


def age(*args, stdin):
    done = subprocess.run(["age", *map(str, args)], input=stdin,
                          capture_output=True, timeout=programs.LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "id"
    subprocess.run(["age-keygen", "-o", path], check=True,
                   capture_output=True)
    to = subprocess.run(["age-keygen", "-y", path], check=True,
                        capture_output=True, text=True).stdout.strip()
    return path, to


BINARY = bytes(range(256)) * 200


def read(text, project="default"):
    first, *lines = text.decode().splitlines()
    assert first == f"nfo-secrets 1 {project}"
    return {line.split()[0]: base64.b64decode(line.split()[1])
            for line in lines}


def serve(nfo, *recipients):
    """A server whose settings let secrets go to these."""
    nfo.serve("--config", nfo.write("server.yaml", json.dumps(
        {"secret_export_to": recipients})))
    return nfo


def test_out(cold, key):
    nfo = serve(cold, key[1])
    nfo("secret", "put", "a", stdin="alpha one")
    nfo("secret", "put", "a", stdin="alpha two")
    nfo("secret", "put", "b", stdin=BINARY)
    nfo("secret", "put", "c", stdin="hidden one")
    nfo("secret", "rm", "c", "--version", "1")
    nfo("secret", "put", "d", "--project", "other", stdin="not of this one")
    nfo("secret", "describe", "a", "--description", "of the build")
    out, _ = raw(nfo, "secret", "export", "--age", key[1])
    assert b"alpha" not in out
    text = age("-d", "-i", key[0], stdin=out)
    assert read(text) == {"a": b"alpha two", "b": BINARY}
    assert base64.b64encode(b"of the build") in text
    db = sqlite3.connect(f"file:{nfo.state}/server/nfo.db?mode=ro", uri=True)
    assert [what for (what,) in db.execute(
        "SELECT what FROM audit WHERE action = 'secret.export'")] == [
            f"default to {key[1]}"]


def test_in(nfo):
    to = nfo("secret", "recipient").out.strip()
    lines = ["nfo-secrets 1",
             "a " + base64.b64encode(b"alpha").decode(),
             "b " + base64.b64encode(BINARY).decode() + " "
             + base64.b64encode(b"from elsewhere").decode()]
    file = age("-r", to, stdin="\n".join(lines).encode())
    out, _ = raw(nfo, "secret", "import", stdin=file)
    assert out == b"stored 2\n"
    # what is there with that value stays as it is
    assert raw(nfo, "secret", "import", stdin=file)[0] == b"stored 0\n"
    assert "from elsewhere" in nfo("secret", "show", "b").out
    run = nfo.run("secrets: { b: { store: b } }\ntasks: { t: { secrets: [b], "
                  "run: 'sha256sum < $NFO_SECRETS/b' } }")
    assert hashlib.sha256(BINARY).hexdigest().encode() in nfo.log(run, "t")


@pytest.mark.parametrize("text, why", [
    ("", "empty"),
    ("secrets\n", "line 1"),
    ("nfo-secrets 1\nA YQ==\n", "line 2: not the name"),
    ("nfo-secrets 1\na YWFhYQ==\nb !!\n", "line 3: not 1 byte"),
    ("nfo-secrets 1\na YWE=\n", "line 2: too short"),
    ("nfo-secrets 1\na \n", "line 2: not 1 byte"),
    ("nfo-secrets 1\na " + "YWFh" * 22000 + "\n", "line 2"),
    ("nfo-secrets 1\na " + "Y" * 200000, "line 2: too long"),
], ids=lambda x: x[:12].strip())
def test_a_text_that_is_none_stores_nothing(nfo, text, why):
    to = nfo("secret", "recipient").out.strip()
    file = age("-r", to, stdin=text.encode())
    _, err = raw(nfo, "secret", "import", stdin=file, code=2)
    assert why in err
    assert nfo("secret", "list", "-o", "json").out.count('"name"') == 0


def test_not_to_whom_the_settings_do_not_name(nfo, key):
    """A server that was taken over could name anybody, and have every secret
    of every project: it is the keeper that says no."""
    nfo("secret", "put", "a", stdin="alpha one")
    result = nfo("secret", "export", "--age", key[1], code=None)
    assert result.code not in (0, 2) and "secret_export_to" in result.err
    to = nfo("secret", "recipient").out.strip()
    raw(nfo, "secret", "export", "--age", to)


def test_one_project_is_not_another(nfo):
    """Sealed to the keeper itself, so that only it can read it: it would be
    had by the jobs of whichever project it is put into."""
    nfo("secret", "put", "a", stdin="alpha one")
    to = nfo("secret", "recipient").out.strip()
    file, _ = raw(nfo, "secret", "export", "--age", to)
    _, err = raw(nfo, "secret", "import", "--project", "other", stdin=file,
                 code=2)
    assert "another project" in err
    assert raw(nfo, "secret", "import", stdin=file)[0] == b"stored 0\n"


def test_files_that_are_not_ours(cold, key):
    nfo = serve(cold, key[1])
    nfo("secret", "put", "a", stdin="alpha one")
    out, _ = raw(nfo, "secret", "export", "--age", key[1])
    for file, why in ((out, "other recipients"), (b"hello", "no file of age"),
                      (out[:-1], "other recipients"), (b"", "")):
        with nfo.popen("secret", "import", stdin=subprocess.PIPE) as p:
            _, err = p.communicate(file, timeout=programs.LIMIT)
        assert p.returncode and why in err.decode(), err
    to = nfo("secret", "recipient").out.strip()
    file = age("-r", to, stdin=b"nfo-secrets 1\nb YWFhYQ==\n")
    for cut in (file[:-1], file[:-1] + bytes([file[-1] ^ 1])):
        _, err = raw(nfo, "secret", "import", stdin=cut, code=2)
        assert "changed or cut" in err
    result = nfo("secret", "export", "--age", "age1nobody", code=2)
    assert "recipient" in result.err


def test_from_one_server_to_another(cold):
    home = tempfile.mkdtemp(prefix="nfo-")  # a socket's path is short
    os.chmod(home, 0o755)
    other = programs.Nfo(home)
    try:
        to = other("secret", "recipient").out.strip()
        nfo = serve(cold, to)
        nfo("secret", "put", "a", stdin="alpha one")
        nfo("secret", "put", "b", stdin="beta one")
        file, _ = raw(nfo, "secret", "export", "--age", to)
        assert raw(other, "secret", "import", stdin=file)[0] == b"stored 2\n"
        # a new root key is another recipient
        other("secret", "rekey")
        assert other("secret", "recipient").out.strip() != to
    finally:
        other.stop()
        shutil.rmtree(home)
