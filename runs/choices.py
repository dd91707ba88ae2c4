"""The words a run speaks in."""

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class RunStatus(TextChoices):
    """The five statuses of a run whose document fixes no other words."""

    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class RunError(TextChoices):
    """Why any run may fail; a domain adds its own slugs beside these."""

    WORKER_LOST = "worker-lost", _("The worker died too often without making progress")
    INTERNAL_ERROR = "internal-error", _("An unexpected error, recorded in the log")
    SUPERSEDED = "superseded", _("A newer run took over")
    UNKNOWN_STEP = "unknown-step", _("It was begun by a workflow with other steps")


class StepOutcome(TextChoices):
    """What became of a step: whether the row it stores was new, whether it had to run at all."""

    CREATED = "created", _("Created")
    UPDATED = "updated", _("Updated")
    DONE = "done", _("Done")  # it stores nothing beside its output
    REUSED = "reused", _("Reused")
    FAILED = "failed", _("Failed")


_known_to_all: list[type[TextChoices]] = []


def know_errors(errors: type[TextChoices]) -> None:
    """Let every kind of run show these slugs in words: those of a room that many kinds work with."""
    if errors not in _known_to_all:
        _known_to_all.append(errors)


def known_errors() -> tuple[type[TextChoices], ...]:
    """What any run may fail with, whatever its kind."""
    return (RunError, *_known_to_all)


@dataclass(frozen=True)
class Statuses:
    """Which of a model's status words mean what to the lifecycle."""

    queued: str = RunStatus.PENDING
    running: str = RunStatus.RUNNING
    completed: str = RunStatus.COMPLETED
    failed: str = RunStatus.FAILED
    cancelled: str = RunStatus.CANCELLED
    more_active: tuple[str, ...] = ()
    more_final: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # for a person: no worker holds the run, and none takes it

    @property
    def active(self) -> tuple[str, ...]:
        """Statuses in which a worker holds the run."""
        return (self.running, *self.more_active)

    @property
    def open(self) -> tuple[str, ...]:
        """Statuses in which the run still has work to do."""
        return (self.queued, *self.active, *self.waiting)

    @property
    def final(self) -> tuple[str, ...]:
        """Statuses a run never leaves."""
        return (self.completed, self.failed, self.cancelled, *self.more_final)
