"""Files as they lie in store, without a name, and what the parser of this house makes of them."""

import os

from etl.documents.parsing.local import LocalParser


def stored(folder, content, name="7"):
    """A file of this content, under the name of its task."""
    path = folder / name
    path.write_bytes(content)
    return path


def parse(path, filename, report=lambda read, of: None):
    return LocalParser().parse(path, filename=filename, report=report, remote=None)


def children():
    """The processes that this one has started and not waited for, zombies too."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
