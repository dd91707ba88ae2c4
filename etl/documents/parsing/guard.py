"""What a process gives up before it opens a stranger's file. Entered once, first thing in the child; no way back.

What holds where:

everywhere            limits of memory, CPU time, open files and file size, no core dump; Python code can open no socket
                      and start no process (an audit hook)
Linux                 it dies with its parent; it is the first to go when the machine runs out of memory
  where a user may    a network namespace of its own, with nothing in it, whatever the code in it is written in
  make namespaces
  on x86-64           a system call filter, also for native code: no sockets, no new processes, no signals to others, no
                      file opened for writing, made, renamed or removed
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any

from etl.documents.parsing.limits import Limits

OPEN_FILES = 64
SHORT_GRACE_SECONDS = 2  # between the signal that may be caught and the one that may not

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22
CLONE_NEWUSER, CLONE_NEWNET, CLONE_THREAD = 0x10000000, 0x40000000, 0x10000
SECCOMP_MODE_FILTER = 2
AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
EPERM, ENOSYS = 1, 38

# of x86-64
OPEN, OPENAT, CLONE, CLONE3, TGKILL = 2, 257, 56, 435, 234
OPENS_FOR_CHANGE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
FORBIDDEN_CALLS = (
    41, 42, 43, 49, 50, 288,  # socket connect accept bind listen accept4; a socketpair leads nowhere
    57, 58, 59, 322,  # fork vfork execve execveat
    62, 129, 200, 297, 424, 434, 438,  # kill rt_sigqueueinfo tkill rt_tgsigqueueinfo pidfd: signals and other processes
    101, 310, 311, 312,  # ptrace process_vm_readv process_vm_writev kcmp
    165, 166, 155, 161, 272, 308, 428, 429, 430, 431, 432, 442,  # mount umount pivot_root chroot unshare setns …
    76, 77, 82, 83, 84, 85, 86, 87, 88, 133, 258, 259, 263, 264, 265, 266, 316, 437,  # everything that changes a folder
    90, 91, 92, 93, 94, 260, 268, 452, 188, 189, 190, 197, 198, 199,  # modes, owners, extended attributes
    29, 30, 31, 68, 69, 70, 71, 64, 65, 66, 240,  # memory and queues shared with others
    248, 249, 250, 298, 321, 323, 425, 426, 427,  # keys, perf, bpf, userfaultfd, io_uring
)  # fmt: skip
FORBIDDEN_EVENTS = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.",
    "ftplib.", "smtplib.", "urllib.", "http.client.", "winreg.", "webbrowser.",
)  # fmt: skip


def enter(limits: Limits, parent: int) -> None:
    """Give everything up. `parent` is the process to die with; it may be gone already."""
    _be_first_to_go()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)  # may be forbidden; then the other means have to do
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # after it, for new credentials take it away
        if os.getppid() != parent:
            os._exit(1)
    _limit(limits)
    if libc is not None and os.uname().machine == "x86_64":
        _filter_calls(libc)
    sys.addaudithook(_refuse)


def _limit(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it answers through a pipe and writes no file
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + SHORT_GRACE_SECONDS))
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        with contextlib.suppress(ValueError, OSError):  # no such limit on some systems
            resource.setrlimit(kind, (limits.memory_bytes, limits.memory_bytes))


def _be_first_to_go() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    if event.startswith(FORBIDDEN_EVENTS):
        raise PermissionError(f"not while a document is read: {event}")


def _filter_calls(libc: ctypes.CDLL) -> None:
    """Install the filter; where the kernel has none, the other means have to do."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    code = _program()
    program = Program(len(code) // 8, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _program() -> bytes:
    """The filter in the kernel's small language: load a word of the call, compare, jump, return a verdict."""
    load, equal, at_least, any_bit, verdict = 0x20, 0x15, 0x35, 0x45, 0x06
    number_at, architecture_at, first_argument_at, second_argument_at = 0, 4, 16, 24
    allow, kill = 0x7FFF0000, 0x80000000

    def refuse(error: int) -> int:
        return 0x00050000 | error

    lines = [
        (load, 0, 0, architecture_at),
        (equal, 1, 0, AUDIT_ARCH_X86_64),
        (verdict, 0, 0, kill),
        (load, 0, 0, number_at),
        (at_least, 0, 1, X32_BIT),
        (verdict, 0, 0, kill),
    ]
    for call in FORBIDDEN_CALLS:
        lines += [(equal, 0, 1, call), (verdict, 0, 0, refuse(EPERM))]
    # glibc asks by clone when there is no clone3, and of clone the filter can see the flags
    lines += [(equal, 0, 1, CLONE3), (verdict, 0, 0, refuse(ENOSYS))]
    # only as threads of this process
    lines += [
        (equal, 0, 4, CLONE),
        (load, 0, 0, first_argument_at),
        (any_bit, 0, 1, CLONE_THREAD),
        (verdict, 0, 0, allow),
        (verdict, 0, 0, refuse(EPERM)),
    ]
    # abort() signals itself, nobody else may be signalled
    lines += [
        (equal, 0, 4, TGKILL),
        (load, 0, 0, first_argument_at),
        (equal, 0, 1, os.getpid()),
        (verdict, 0, 0, allow),
        (verdict, 0, 0, refuse(EPERM)),
    ]
    for call, flags_at in ((OPEN, second_argument_at), (OPENAT, second_argument_at + 8)):
        lines += [
            (equal, 0, 4, call),
            (load, 0, 0, flags_at),
            (any_bit, 0, 1, OPENS_FOR_CHANGE),
            (verdict, 0, 0, refuse(EPERM)),
            (verdict, 0, 0, allow),
        ]
    lines.append((verdict, 0, 0, allow))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)
