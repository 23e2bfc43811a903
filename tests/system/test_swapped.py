# SPDX-License-Identifier: AGPL-3.0-or-later
"""An artifact whose file, or whose directory, is swapped under the reader, by
processes that the task left behind.  (No other task could: those that run at
once never share a workspace.)"""
import io
import tarfile

JOB = """
tasks:
  t:
    matrix: { i: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }
    run: |
      mkdir d; echo mine > d/passwd
      ln -s /etc/passwd link; ln -s /etc etc; mkfifo fifo; mkdir dir go
      cat > swap.py <<'EOF'
      import os, sys
      def between(here, other, aside):
          os.rename(here, aside)
          os.rename(other, here)
          os.rename(here, other)
          os.rename(aside, here)
      os.rmdir("go")
      while True:
          for other in sys.argv[2:]:
              between(sys.argv[1], other, "aside")
      EOF
      setsid python3 swap.py d/passwd link fifo dir < /dev/null &
      while [ -e go ]; do :; done
      if [ "$NFO_MATRIX_I" -ge 6 ]; then
        mkdir go; setsid python3 swap.py d etc < /dev/null &
        while [ -e go ]; do :; done
      fi
    artifacts:
      one: { path: d/passwd, optional: true }
      two: { path: d/passwd, optional: true }
      all: { path: 'd/*', optional: true }
      deep: { path: '**/passwd', optional: true }
"""


def contents(item, body):
    """One match is the file itself, several are a tar."""
    if not item["file"].endswith(".tar"):
        return [body]
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return [tar.extractfile(m).read() for m in tar.getmembers()]


def test_nothing_of_elsewhere_is_ever_taken(nfo):
    run = nfo.run(JOB)
    ends = {(t["state"], t["kind"]) for t in nfo.tasks(run).values()}
    # one that failed keeps those that have not begun from it
    assert ends <= {("succeeded", None), ("failed", "artifact"),
                    ("cancelled", None)}, ends
    base = f"/v1/runs/{run['id']}/artifacts"
    for item in nfo.get(base).json["items"]:
        body = nfo.get(f"{base}/{item['name']}").body
        assert set(contents(item, body)) <= {b"mine\n"}, item
    # What did it has ended: each task sees one state, not two.
    one = {i["name"].rpartition(".")[0]: i["sha256"]
           for i in nfo.get(base).json["items"] if i["name"].endswith(".one")}
    two = {i["name"].rpartition(".")[0]: i["sha256"]
           for i in nfo.get(base).json["items"] if i["name"].endswith(".two")}
    assert one == two
