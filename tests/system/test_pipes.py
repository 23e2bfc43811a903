# SPDX-License-Identifier: AGPL-3.0-or-later
"""A task that reads another's standard output while both live."""
import hashlib


def test_a_reader_sees_what_the_writer_has_only_begun(nfo):
    """The writer ends only after the reader was seen to have got a line."""
    run = nfo.run("""
tasks:
  w: { run: 'echo first; sleep 300' }
  r: { stdin: w.stdout, run: 'read line; echo "got $line"; sleep 300' }
""", wait=None)
    nfo.until(lambda: b"got first" in nfo.log(run, "r"))
    assert {t["state"] for t in nfo.fresh(run)["tasks"]} == {"running"}
    nfo("cancel", run["id"])
    assert nfo.ended(run)["state"] == "cancelled"


def test_bytes_are_raw_and_whole(nfo):
    run = nfo.run("""
tasks:
  w:
    run: |
      i=0
      while [ $i -lt 64 ]; do printf '\\000\\377\\r\\n%065536d' $i; i=$((i+1)); done
    stdout: { log: none }
  r: { stdin: w.stdout, run: sha256sum }
""")
    data = b"".join(b"\0\xff\r\n%065536d" % i for i in range(64))
    assert nfo.log(run, "r").split()[0].decode() == \
        hashlib.sha256(data).hexdigest()
    assert nfo.tasks(run)["w"]["log"]["bytes"] == 0


def test_two_readers_get_the_same(nfo):
    run = nfo.run("""
tasks:
  w: { run: seq 1 200000, stdout: { log: none } }
  a: { stdin: w.stdout, run: sha256sum }
  b: { stdin: w.stdout, run: 'wc -l; echo done' }
""")
    data = "".join(f"{i}\n" for i in range(1, 200001)).encode()
    assert nfo.log(run, "a").split()[0].decode() == \
        hashlib.sha256(data).hexdigest()
    assert nfo.log(run, "b").split() == [b"200000", b"done"]


def test_a_chain_of_three(nfo):
    run = nfo.run("""
tasks:
  a: { run: seq 1 1000 }
  b: { stdin: a.stdout, run: grep 7 }
  c: { stdin: b.stdout, run: wc -l }
""")
    assert nfo.log(run, "c").strip() == b"271"


def test_the_log_limit_never_cuts_a_pipe(nfo):
    run = nfo.run("""
tasks:
  w: { run: 'yes | head -c 1000000', stdout: { log: 64K } }
  r: { stdin: w.stdout, run: wc -c }
""")
    assert nfo.log(run, "r").strip() == b"1000000"
    assert nfo.tasks(run)["w"]["log"]["truncated"] is True


def test_a_failing_writer_takes_the_reader_with_it(nfo):
    """It is killed before it sees an end of file."""
    run = nfo.run("""
tasks:
  w: { run: 'echo half; exit 3' }
  r: { stdin: w.stdout, run: 'cat; echo whole' }
""")
    tasks = nfo.tasks(run)
    assert (tasks["w"]["kind"], tasks["r"]["kind"]) == ("exit", "upstream")
    assert b"whole" not in nfo.log(run, "r")


def test_a_failing_writer_leaves_no_artifact_of_the_reader(nfo):
    run = nfo.run("""
tasks:
  w: { run: 'echo half; exit 3' }
  r: { stdin: w.stdout, run: cat, stdout: { artifact: whole, file: f } }
""")
    assert nfo.tasks(run)["r"]["kind"] == "upstream"
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts").json["items"] == []


def test_a_reader_that_ends_early_is_dropped(nfo):
    run = nfo.run("""
tasks:
  w: { run: seq 1 300000, stdout: { log: none } }
  short: { stdin: w.stdout, run: head -n 1 }
  long: { stdin: w.stdout, run: tail -n 1 }
""")
    assert run["state"] == "succeeded", run
    assert nfo.log(run, "short") == b"1\n"
    assert nfo.log(run, "long") == b"300000\n"


def test_stdout_becomes_an_artifact(nfo):
    run = nfo.run("""
tasks:
  w: { run: 'printf "a\\0b"', stdout: { log: none, artifact: out, file: x } }
""")
    a = nfo.get(f"/v1/runs/{run['id']}/artifacts/w.out")
    assert a.body == b"a\0b"
