# SPDX-License-Identifier: AGPL-3.0-or-later
"""The codes that handlers answer with are those that the API's document
lists."""
import re

import tree

API = tree.TOP / "src/api"


def arguments(text, start):
    """The top-level arguments of a call whose bracket opens at start."""
    depth, quoted, parts, current = 0, False, [], ""
    for at in range(start, len(text)):
        c = text[at]
        if c == '"' and text[at - 1] != "\\":
            quoted = not quoted
        if not quoted and c in "([{":
            depth += 1
            if depth == 1:
                continue
        if not quoted and c in ")]}":
            depth -= 1
            if not depth:
                return [*parts, current]
        if not quoted and c == "," and depth == 1:
            parts.append(current)
            current = ""
        else:
            current += c
    raise AssertionError("a call without an end")


def said():
    codes = set()
    for path in API.glob("*.c"):
        text = path.read_text()
        for call in re.finditer(r"\breply_problems?\(", text):
            third = arguments(text, call.end() - 1)[2]
            codes |= set(re.findall(r'"([a-z0-9-]+)"', third))
    table = re.search(r"statuses\[\] = \{(.*?)\n\};",
                      (API / "reply.c").read_text(), re.S)[1]
    return codes | set(re.findall(r'\{\d+,\s*"([a-z0-9-]+)"', table))


def test_every_code_is_listed():
    listed = re.findall(r'^\t"([a-z0-9-]+)",$',
                        (API / "codes.c").read_text(), re.M)
    assert listed == sorted(set(listed))
    assert not said() - set(listed), "add them to src/api/codes.c"
    assert not set(listed) - said(), "nothing says these any more"
