"""A private PostgreSQL and Valkey below one folder, for a machine that has neither.

Every process that uses the pair holds a shared lock on `lease` until it dies. A small keeper process
waits for the exclusive lock and stops the pair when it gets it. The kernel frees the locks of a dead
process, so an exit, a crash and kill -9 are one case. Lock order: `mutex`, then `lease`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from config.servers import Postgres, Unavailable, Valkey

# the longest name in it, .s.PGSQL.5432.lock, must still fit the kernel's 108 bytes
SOCKET_FOLDER_BYTES = 80
# The keeper needs neither site-packages nor the project's packages (config/__init__.py is empty for it), so
# that it starts in 10 ms and outlives a deleted .venv
KEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from config import embedded
embedded.become_keeper(*sys.argv[2:])
"""

_leases: dict[str, int] = {}  # folder → descriptor, open until this process ends


def provide(folder: Path, *, grace: float = 3.0, throwaway: bool = False, durable: bool | None = None) -> None:
    """Put DATABASE_URL, REDIS_URL and SECRET_KEY into the environment where they are missing.

    Servers behind a missing URL run when this returns, and for as long as any process that called it
    lives, plus `grace` seconds. `throwaway` deletes the folder at the end and, unless `durable` says
    otherwise, trades safety on disk for speed. Raises ImproperlyConfigured when the machine cannot run them.
    """
    durable = not throwaway if durable is None else durable
    pair = Pair(str(folder.resolve()), grace=grace, throwaway=throwaway, durable=durable)
    # a child inherits the URLs its parent was given and must hold the pair itself
    needs_postgres = os.environ.get("DATABASE_URL", "") in ("", pair.database_url)
    needs_valkey = os.environ.get("REDIS_URL", "") in ("", pair.redis_url)
    needs_key = not os.environ.get("SECRET_KEY")
    if not (needs_postgres or needs_valkey or needs_key):
        return
    try:
        pair.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with pair.mutex():
            if needs_key:
                os.environ["SECRET_KEY"] = _secret_key(pair.root / "secret_key")
            if needs_postgres or needs_valkey:
                pair.hold()
            if needs_postgres:
                pair.postgres.ensure()
                os.environ["DATABASE_URL"] = pair.database_url
            if needs_valkey:
                pair.valkey.ensure()
                os.environ["REDIS_URL"] = pair.redis_url
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        from django.core.exceptions import ImproperlyConfigured  # the keeper has no site-packages

        raise ImproperlyConfigured(
            f"The private servers below {folder} cannot run: {error} "
            "Set PRESSROOM_VAR to another folder, or DATABASE_URL and REDIS_URL to servers of your own."
        ) from error
    # children see named servers and would otherwise take themselves for production
    os.environ.setdefault("DEBUG", "1")


def is_private(folder: Path) -> bool:
    """Whether this process uses the private PostgreSQL below the folder."""
    return os.environ.get("DATABASE_URL") == Pair(str(folder.resolve())).database_url


@dataclass(frozen=True)
class Pair:
    """The two servers of one folder, and the locks of those who use them."""

    folder: str
    grace: float = 3.0
    throwaway: bool = False
    durable: bool = True

    @property
    def root(self) -> Path:
        return Path(self.folder)

    @property
    def sockets(self) -> Path:
        """Below the folder, or a short stand-in where the kernel or PostgreSQL would refuse its path."""
        near = f"{self.folder}/sockets"
        if len(near) <= SOCKET_FOLDER_BYTES and re.fullmatch(r"[A-Za-z0-9/._-]+", near):
            return Path(near)
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(f"/tmp/pressroom-{os.getuid()}-{digest}")  # noqa: S108 - its owner is checked

    @property
    def postgres(self) -> Postgres:
        return Postgres(self.root / "postgres", self.sockets, durable=self.durable)

    @property
    def valkey(self) -> Valkey:
        return Valkey(self.root / "valkey", self.sockets, durable=self.durable)

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@{quote(str(self.sockets), safe='')}/pressroom"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.sockets}/valkey.sock?db=0"

    @contextlib.contextmanager
    def mutex(self) -> Iterator[None]:
        """One process at a time starts or stops servers."""
        lock = self._open("mutex")
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would not free a copy some fork inherited
            os.close(lock)

    def hold(self) -> None:
        """Take part in the lease until this process ends, and see that a keeper waits for that."""
        if self.folder not in _leases:
            _leases[self.folder] = lease = self._open("lease")
            fcntl.flock(lease, fcntl.LOCK_SH)
        keeper = self._open("keeper")
        try:
            if not _lock_at_once(keeper):
                return  # one is waiting already
            command = [sys.executable, "-I", "-S", "-c", KEEPER, str(Path(__file__).parent.parent)]
            with (self.root / "keeper.log").open("ab") as log:
                subprocess.run(  # noqa: S603
                    [*command, json.dumps(asdict(self)), str(keeper)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    cwd="/", umask=0o077, pass_fds=[keeper], check=True,
                )  # fmt: skip
        finally:
            os.close(keeper)

    def keep(self, keeper: int) -> None:
        """Wait until nobody uses the pair, then stop it: the keeper's whole life."""
        gone = False
        while not gone:
            try:
                lease = self._open("lease")
                fcntl.flock(lease, fcntl.LOCK_EX)
                os.close(lease)  # newcomers must not wait for the end of the grace
                time.sleep(self.grace)
                with self.mutex():
                    lease = self._open("lease")
                    if gone := _lock_at_once(lease):
                        self.stop()
                        # before the mutex: who comes next must find that no keeper waits
                        fcntl.flock(keeper, fcntl.LOCK_UN)
                    os.close(lease)
            except FileNotFoundError:  # somebody deleted the folder: nobody can come any more
                self.stop()
                gone = True

    def stop(self) -> None:
        """Stop what runs; leave only the data, and of a throwaway pair nothing. Wants the mutex held."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)
        if self.throwaway:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, lock: str) -> int:
        return os.open(self.root / lock, os.O_RDWR | os.O_CREAT, 0o600)


def become_keeper(description: str, keeper: str) -> None:
    # Forked away from its parent, else it would stay as a zombie below a parent that never waits for it
    if os.fork():
        os._exit(0)
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    Pair(**json.loads(description)).keep(int(keeper))


def _lock_at_once(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _secret_key(path: Path) -> str:
    if not path.exists():
        fresh = path.with_name("secret_key.new")  # renamed when written, so that nobody reads half a key
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        fresh.rename(path)
    return path.read_text()
