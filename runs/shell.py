"""How a command leaves when a service refuses its wish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from config.shell import CONFLICT, FAILED, wrong_arguments
from runs.errors import Conflict, Contention, RunFailed


@contextmanager
def refusals_as_exit_codes(names: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """What a service refuses becomes one line and the exit code that says who has to act.

    `names` tells how a field is written on the command line where it is not its own name behind two dashes.
    """
    try:
        yield
    except ValidationError as error:
        raise wrong_arguments(error, names) from error
    except Conflict as conflict:
        raise CommandError(str(conflict), returncode=CONFLICT) from conflict
    except RunFailed as failure:
        raise CommandError(str(failure), returncode=FAILED) from failure
    except Contention as error:  # a run that was asked for waits in the queue for the next start
        raise CommandError(f"{error.title}. {error.message}", returncode=FAILED) from error
