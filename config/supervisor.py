"""Behind `make run`: prepare the database, run the Procfile, and leave nothing running at the end.

honcho multiplexes the output; four of its habits are mended here (it is pinned, and tests hold the mends):
it signals whole process groups, so pool children of Celery die in the middle of a task; it kills after
5 s; it hangs for ever printing to a closed terminal; and its children outlive its own kill -9.
"""

import contextlib
import ctypes
import datetime
import fcntl
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import honcho.manager
import honcho.process
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

BASE_DIR = Path(__file__).resolve().parent.parent
STOP_SECONDS = 60  # what a running task has to finish; a longer one is taken over after its lease
WATCH_SECONDS = 5
PR_SET_PDEATHSIG = 1


class Refused(Exception):
    """Nothing was started; the text says why."""


def main(procfile: Path) -> int:
    """Run until Ctrl-C, SIGTERM, a closed terminal or the end of any process; 0 when asked to stop."""
    signal.signal(signal.SIGTERM, _exit_quietly)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants to outlive the terminal
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    if "MAKELEVEL" in os.environ:
        _die_with_parent(signal.SIGTERM)  # make passes on neither a kill -9 nor the end of its terminal
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        var = settings.VAR_DIR
        _take_run_lock(var)
        address = _free_address()
        _prepare(var, debug=settings.DEBUG)
        watch = [_heal_private_servers(var)] if settings.DEBUG else []
        manager = Supervisor(Printer(Output(sys.stdout)), [*watch, _tell_when_ready(address, var)])
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            manager.add_process(name, command, env=_child_environment(var), cwd=str(BASE_DIR))
    except ImproperlyConfigured as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except Refused as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    manager.loop()
    return 0 if manager.returncode in (None, 130, 143) else manager.returncode


# --- before the processes ------------------------------------------------------------------------


def _take_run_lock(var: Path) -> None:
    """Held until this process ends: two beats on one database would schedule everything twice."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(var / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"this clone is already running (lock {var / 'run.lock'}).") from None


def _free_address() -> tuple[str, int]:
    """Where the web process will listen, tried first: gunicorn alone would retry and then take all down."""
    host, port = os.environ.get("BIND", "127.0.0.1"), os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Refused(f"PORT={port} is not a port number.")
    bare = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in bare else socket.AF_INET
        socket.create_server((bare, int(port)), family=family).close()
    except OSError as error:
        raise Refused(f"cannot listen on {host}:{port} ({error.strerror}). Try another: make run PORT=8001") from None
    return bare, int(port)


def _prepare(var: Path, *, debug: bool) -> None:
    """Migrate; gather static files for production; load the sample into a private database once."""
    from config import embedded

    _manage("migrate", "--noinput", "--verbosity=0")
    if not debug:
        _manage("collectstatic", "--noinput", "--verbosity=0")
    loaded = var / "sample-loaded"
    if embedded.is_private(var) and not loaded.exists():
        print("Loading the sample workspace …", flush=True)
        _manage("load_sample")
        loaded.touch()


def _manage(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=BASE_DIR)  # noqa: S603
    if done.returncode:
        raise Refused(f"manage.py {arguments[0]} failed.")


def _child_environment(var: Path) -> dict[str, str]:
    from config import embedded

    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = os.environ | {"PATH": programs, "PYTHONUNBUFFERED": "1"}
    if embedded.is_private(var):
        # Celery warns each root worker at length; on a private machine, often a container, root is no news
        environment["PYTHONWARNINGS"] = "ignore::UserWarning:celery.platforms"
    return environment


# --- the processes -------------------------------------------------------------------------------


class Supervisor(honcho.manager.Manager):  # type: ignore[misc]
    """honcho's manager, with running tasks left to finish and threads that watch."""

    def __init__(self, printer: Printer, watches: list[Callable[["Supervisor"], None]]) -> None:
        # monitors must inherit locks and handlers; Python 3.14 would spawn them
        multiprocessing.set_start_method("fork", force=True)
        super().__init__(printer)
        honcho.manager.KILL_WAIT = STOP_SECONDS
        self._process_ctor = MonitoredProcess
        self._procmgr.terminate = _terminate_main_process
        self._watches = [_stop_with_terminal, *watches]

    def _start(self) -> None:
        super()._start()
        for watch in self._watches:  # after the forks: a fork copies no threads, but their locks
            threading.Thread(target=watch, args=(self,), daemon=True).start()

    def say(self, text: str) -> None:
        """Print from any thread, in turn with the output of the processes."""
        now = datetime.datetime.now().astimezone()
        self.events.put(Message(type="line", data=text, time=now, name="system", colour=None))


class MonitoredProcess(honcho.process.Process):  # type: ignore[misc]
    """A Procfile process below its monitor: kill -9 of the supervisor ends the monitor and so, gently, it."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        _die_with_parent(signal.SIGKILL)
        self._child_ctor = _start_child
        super().run(events, ignore_signals)


def _start_child(command: str, **options: Any) -> subprocess.Popen[bytes]:
    return honcho.process.Popen(command, preexec_fn=lambda: _die_with_parent(signal.SIGTERM), **options)


def _terminate_main_process(pid: int) -> None:
    """Only the process itself: it lets its pool children finish, which a signal to the group would kill."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


class Output:
    """Standard output that, when it is gone, asks once for a stop instead of raising at every line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with self._gone_means_stop():
            self._stream.write(text)

    def flush(self) -> None:
        with self._gone_means_stop():
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    @contextlib.contextmanager
    def _gone_means_stop(self) -> Any:
        try:
            yield
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            os.kill(os.getpid(), signal.SIGTERM)


# --- what is watched -----------------------------------------------------------------------------


def _stop_with_terminal(_: Supervisor) -> None:
    """When make leads the session, it swallows the SIGHUP of a closed terminal."""
    if not sys.stdout.isatty():
        return
    with contextlib.suppress(termios.error):  # what a terminal that is gone answers
        while True:
            termios.tcgetattr(sys.stdout)
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _heal_private_servers(var: Path) -> Callable[[Supervisor], None]:
    """A private server that died is started again, as a system's service manager would do."""
    from django.core.exceptions import ImproperlyConfigured

    from config import embedded

    def watch(supervisor: Supervisor) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                embedded.provide(var)
            except ImproperlyConfigured as error:
                supervisor.say(str(error))

    return watch


def _tell_when_ready(address: tuple[str, int], var: Path) -> Callable[[Supervisor], None]:
    host, port = address
    here = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104

    def watch(supervisor: Supervisor) -> None:
        while not _answers(f"http://{here}:{port}/healthz"):
            time.sleep(0.2)
        supervisor.say(_banner(f"http://{here}:{port}/", var))

    return watch


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own address
    except urllib.error.HTTPError:
        return True  # even a refusal comes from the running application
    except OSError:
        return False
    return True


def _banner(url: str, var: Path) -> str:
    from config import embedded

    logins = var / "credentials.txt"
    servers = f"private, below {var}" if embedded.is_private(var) else "the ones the environment names"
    lines = ["", "Pressroom is ready", f"  open      {url}"]
    if logins.exists():
        lines += [f"  sign in   {line}" for line in logins.read_text().splitlines() if line.strip()]
    lines += [f"  servers   PostgreSQL and Redis: {servers}", "  stop      Ctrl-C stops everything", ""]
    return "\n".join(lines)


# --- signals -------------------------------------------------------------------------------------


def _exit_quietly(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with_parent(wish: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, wish)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else BASE_DIR / "Procfile"))
