# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looking for secrets where they must not be: files, memory, /proc."""
import base64
import os
import pathlib
import urllib.parse

LEAST = 8  # bytes; shorter ones are in everything
CHUNK = 1 << 24


def forms(value):
    """What a value would be found as, wherever it is written."""
    found = {value, value[::-1], value.hex().encode(),
             value.hex().upper().encode(), value.hex(" ").encode(),
             urllib.parse.quote_from_bytes(value, safe="").encode()}
    for shift in range(3):
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            middle = code(b"\0" * shift + value).rstrip(b"=")
            # without the characters that hold neighbours' bits
            found.add(middle[(shift * 8 + 5) // 6:-1])
    return {f for f in found if len(f) >= LEAST}


def in_bytes(content, values):
    return [f for v in values if len(v) >= LEAST for f in forms(v)
            if f in content]


def in_files(top, values, skip=()):
    """(path, form) of every regular file below top."""
    found = []
    if not values:
        return found
    for path in pathlib.Path(top).rglob("*"):
        if path.is_symlink() or not path.is_file() or path.name in skip:
            continue
        content = path.read_bytes()
        found += [(str(path), f) for f in in_bytes(content, values)]
        found += [(str(path), v) for v in values
                  if len(v) >= LEAST and v in os.fsencode(str(path))]
    return found


def regions(pid):
    """(start, end) of what can be read and is no file's."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, mode, _, _, inode = line.split()[:5]
        if mode[0] == "r" and (inode == "0" or "w" in mode) and \
                not line.endswith(("[vvar]", "[vsyscall]", "[vdso]")):
            start, end = (int(x, 16) for x in where.split("-"))
            yield start, end


def in_memory(pid, values):
    """Forms in the memory of a process; as root."""
    found = []
    overlap = max(len(v) for v in values) * 3
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end in regions(pid):
            for at in range(start, end, CHUNK):
                try:
                    mem.seek(at)
                    content = mem.read(min(CHUNK + overlap, end - at))
                except (OSError, OverflowError):
                    continue  # guard pages
                found += in_bytes(content, values)
    return found
