# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every source file has to have: a licence line, the format, a size."""
import re
import subprocess

import tree

# 400 lines a file and 80 a function are the yardstick; this is the wall behind
# it.  Tests may hold longer tables.
FILE_LINES = 520
TEST_FILE_LINES = 650
FUNCTION_LINES = 80
TEST_FUNCTION_LINES = 120


def test_licence_lines():
    bad = [str(f.relative_to(tree.TOP))
           for f in tree.tracked("*.c", "*.h", "*.cc", "*.py", "*.cmake",
                                 "*CMakeLists.txt")
           if "SPDX-License-Identifier: AGPL-3.0-or-later"
           not in f.read_text()[:200]]
    assert not bad, bad


def test_format():
    files = [str(f) for f in tree.tracked("*.c", "*.h", "*.cc")]
    r = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files],
                       cwd=tree.TOP, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in r.stderr.splitlines()
                    if "error:" in line})
    assert r.returncode == 0, "\n".join(wrong)


def functions(path):
    """(line, length) of each function body that starts in column one."""
    start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start
            start = None


def test_sizes():
    bad = []
    for f in tree.tracked("*.c", "*.h", "*.cc"):
        name = str(f.relative_to(tree.TOP))
        lines = f.read_text().count("\n")
        if lines > (TEST_FILE_LINES if name.startswith("tests/")
                        else FILE_LINES):
            bad.append(f"{name}: {lines} lines")
        for at, length in functions(f):
            most = (TEST_FUNCTION_LINES if name.startswith("tests/")
                    else FUNCTION_LINES)
            if length > most:
                bad.append(f"{name}:{at}: a function of {length} lines")
    assert not bad, "\n".join(bad)


def test_nothing_left_over():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    bad = []
    for f in tree.tracked("*.c", "*.h", "*.cc", "*.py", "*.md", "*.sh"):
        if f.name == "test_source.py":
            continue
        for number, line in enumerate(f.read_text().splitlines(), 1):
            if words.search(line):
                bad.append(f"{f.relative_to(tree.TOP)}:{number}")
    assert not bad, bad


def test_dangerous_calls():
    """Functions that the house does without (see CONTRIBUTING.md)."""
    never = re.compile(
        r"(?<![\w>.])(strcpy|strcat|sprintf|vsprintf|gets|sscanf|atoi|atol|"
        r"strtok|system|popen|alloca|tmpnam|mktemp|usleep)\s*\(")
    bad = []
    for f in tree.tracked("*.c", "*.h"):
        if not str(f.relative_to(tree.TOP)).startswith(
                ("base/", "src/", "sandbox/", "secrets/")):
            continue
        for number, line in enumerate(f.read_text().splitlines(), 1):
            if never.search(re.sub(r'"(\\.|[^"\\])*"', '""', line)):
                bad.append(f"{f.relative_to(tree.TOP)}:{number}: {line.strip()}")
    assert not bad, "\n".join(bad)


# Who may say that a text has been looked at, and why.
VOUCHERS = {
    "base/redacted.h": "the type itself",
    "secrets/redact_stream.c": "the redactor",
    "secrets/redact_watch.c": "the redactor: nothing was found",
    "src/job/result.c": "reads what the runner wrote, which took the type",
}


def test_who_makes_redacted_text():
    makes = re.compile(
        r"\bredacted_vouch\s*\(|\(struct redacted_str\)\s*\{|"
        r"\bstruct redacted_str \w+ = \{(?!0\})|\.clean\s*=[^=]|"
        r"REDACTED\((?!\"|REDACT_MARK|literal)")
    found = {}
    for f in tree.tracked("*.c", "*.h"):
        name = str(f.relative_to(tree.TOP))
        if not name.startswith(("tests/", "fuzz/", "bench/")) and \
                makes.search(f.read_text()):
            found[name] = True
    assert set(found) == set(VOUCHERS)
