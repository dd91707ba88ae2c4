"""The one lifecycle that every piece of background work shares."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from runs.choices import RunError, RunStatus, Statuses, StepOutcome, known_errors
from runs.querysets import ClockTimestamp, RunQuerySet, StepRecordQuerySet


def run_constraints(statuses: Statuses) -> list[models.BaseConstraint]:
    """What must never be false of a run, for a model with these status words."""
    words = sorted({*statuses.open, *statuses.final})
    active, final = Q(status__in=sorted(statuses.active)), Q(status__in=sorted(statuses.final))
    return [
        models.CheckConstraint(
            condition=Q(status__in=words),
            name="%(class)s_status_is_known",
            violation_error_message=_("This status does not exist."),
        ),
        models.CheckConstraint(
            condition=Q(active, lease_token__isnull=False, lease_until__isnull=False)
            | Q(~active, lease_token__isnull=True, lease_until__isnull=True),
            name="%(class)s_holds_lease_iff_active",
            violation_error_message=_("A run holds a lease exactly while it is being worked on."),
        ),
        models.CheckConstraint(
            condition=Q(final, finished_at__isnull=False) | Q(~final, finished_at__isnull=True),
            name="%(class)s_has_finished_at_iff_final",
            violation_error_message=_("A run has an end exactly when it has ended."),
        ),
        models.CheckConstraint(
            condition=~Q(status=statuses.failed) | ~Q(error=""),
            name="%(class)s_failed_says_why",
            violation_error_message=_("A failed run says why."),
        ),
        models.CheckConstraint(
            condition=Q(progress__gte=0, progress__lte=100),
            name="%(class)s_progress_is_percent",
            violation_error_message=_("Progress lies between 0 and 100."),
        ),
        models.CheckConstraint(
            condition=Q(attempt__gte=0, max_attempts__gte=1, attempt__lte=models.F("max_attempts")),
            name="%(class)s_attempt_within_cap",
            violation_error_message=_("A run is not attempted more often than its cap."),
        ),
    ]


def open_index(statuses: Statuses) -> models.Index:
    """Finds the few open rows for the reaper among millions of finished ones."""
    return models.Index(fields=["id"], condition=Q(status__in=sorted(statuses.open)), name="%(class)s_open")


class Run(models.Model):
    """A piece of background work that can be claimed, lost, taken over and run twice without harm.

    Transitions (each a guarded UPDATE of RunQuerySet):
        queued  → running    claim: draws a fencing token, sets the lease
        running → running    heartbeat and advance, with the token; claim by another once the lease ran out
        running → queued     release with the token; requeue_expired by the reaper
        running → final      finish with the token; fail_exhausted at the cap
        running → waiting    park with the token, where a kind of run waits for a person
        waiting → queued     unpark, by that person
        open    → cancelled  cancel
        final   → queued     reopen, which only a RunWithSteps knows: a person has it tried again
    No final run moves by itself. Lease and progress columns carry no index, so that their many
    updates stay heap-only.
    """

    TASK: ClassVar[str]
    QUEUE: ClassVar[str] = "default"
    STATUSES: ClassVar[Statuses] = Statuses()
    ERRORS: ClassVar[type[models.TextChoices]] = RunError
    PART_OF: ClassVar[str] = ""  # the field with the run this is a part of; such a run is not shown by itself

    status = models.CharField(_("status"), max_length=32, choices=RunStatus, default=RunStatus.PENDING)
    progress = models.PositiveSmallIntegerField(_("progress"), default=0, help_text=_("Percent."))
    attempt = models.PositiveSmallIntegerField(
        _("attempt"), default=0, help_text=_("How often it was started since it last made progress.")
    )
    max_attempts = models.PositiveSmallIntegerField(_("attempts at most"), default=5)
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    lease_until = models.DateTimeField(_("leased until"), null=True, editable=False)
    lease_token = models.BigIntegerField(_("fencing token"), null=True, editable=False)
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), null=True, editable=False)
    error = models.CharField(_("error"), max_length=64, blank=True, default="")
    error_text = models.TextField(_("details of the error"), blank=True, default="")
    superseded_by = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="supersedes",
        verbose_name=_("superseded by"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=ClockTimestamp(), editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Still has work to do."""
        return self.status in self.STATUSES.open

    @property
    def error_label(self) -> Any:
        """The error's slug in the reader's language."""
        return self.error_in_words(self.error)

    @classmethod
    def error_in_words(cls, slug: str) -> Any:
        """A slug that this kind of run knows, in the reader's language; the slug itself if it has no translation."""
        for errors in (cls.ERRORS, *known_errors()):
            if slug in errors.values:
                return errors(slug).label
        return slug


class RunWithSteps(Run):
    """A run that keeps what each of its steps made (runs.steps), so that a person's retry goes on where it failed.

    Its retry opens the same row again and counts in `retries`; what was made before stays with the retry that made it.
    """

    retries = models.PositiveSmallIntegerField(
        _("retries"), default=0, db_default=0, help_text=_("How often a person had it tried again.")
    )

    class Meta:
        abstract = True


def step_constraints() -> list[models.BaseConstraint]:
    """What must never be false of a step's record; its model has a foreign key `run`."""
    return [
        models.UniqueConstraint(
            fields=["run", "retry", "step", "key"],
            name="%(class)s_is_kept_once",
            violation_error_message=_("A step is kept once per retry."),
        ),
        models.CheckConstraint(
            condition=Q(outcome__in=StepOutcome.values),
            name="%(class)s_outcome_is_known",
            violation_error_message=_("This outcome does not exist."),
        ),
        models.CheckConstraint(
            condition=Q(outcome=StepOutcome.FAILED) ^ Q(error=""),
            name="%(class)s_says_why_iff_it_failed",
            violation_error_message=_("A step says why exactly when it failed."),
        ),
    ]


class StepRecord(models.Model):
    """What became of one step of a run in one of its retries. Written in the transaction of the step's effects.

    A subclass has a foreign key `run` (related_name "steps") and step_constraints().
    """

    step = models.CharField(_("step"), max_length=64)
    key = models.CharField(
        _("of"), max_length=128, blank=True, default="", help_text=_("Which of several, where a step has many.")
    )
    retry = models.PositiveSmallIntegerField(_("retry"), default=0)
    input_hash = models.CharField(_("hash of the input"), max_length=64)
    input = ExactJSONField(_("input"))
    output = ExactJSONField(_("output"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=StepOutcome)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    milliseconds = models.PositiveIntegerField(_("milliseconds"), default=0)
    tokens = models.PositiveIntegerField(_("tokens"), null=True)
    error = models.CharField(_("error"), max_length=64, blank=True, default="")
    error_text = models.TextField(_("details of the error"), blank=True, default="")
    is_void = models.BooleanField(
        _("void"), default=False, db_default=False, help_text=_("A person had it made anew; it is not used again.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=ClockTimestamp(), editable=False)

    objects = StepRecordQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.step}:{self.key}" if self.key else self.step

    @property
    def error_label(self) -> Any:
        """The error's slug in the reader's language."""
        return self.run.error_in_words(self.error)  # type: ignore[attr-defined]
