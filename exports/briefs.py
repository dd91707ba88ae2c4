"""A brief made by hand: what editors selected is printed, recorded and marked in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from access.services import record
from exports import files, numbering, recording
from exports.choices import ReviewStatus, Source
from exports.models import BriefBatch, BriefTemplate, ExportRun, ManualExportBatch, ManualReview
from exports.printing import REVIEW_FIELDS, Layout, NotShown, Printed, layout_of, print_brief, story_of_row
from runs.errors import Conflict
from runs.failpoints import reached
from runs.transactions import atomic_retried


@dataclass(frozen=True)
class BriefOptions:
    """What to export and how.

    `article_ids` restricts the brief to some of what is selected. `expected_sha256` is that of a preview: the
    export is refused when its text would be another.
    """

    report_tag: str = ""
    report_date: date | None = None
    template: str = "zongbao"
    period: int | None = None
    total_period: int | None = None
    mark_exported: bool = True
    output_path: str = ""
    expected_sha256: str = ""
    article_ids: Sequence[str] | None = None

    def resolved(self) -> BriefOptions:
        """With tag and date said in full; everything that needs no lock is checked. Raises ValidationError."""
        tag, day = recording.resolve_tag(self.report_tag, self.report_date)
        if self.output_path:
            files.checked_path(self.output_path)
        return replace(self, report_tag=tag, report_date=day)


@dataclass
class Brief:
    """A brief, previewed (then without `run` and `batch`) or exported.

    `skipped_duplicates` are printed articles that the tag has recorded already. `file_error` says why the file
    could not be written; the export stands, and files.write_again(run) mends it.
    """

    report_tag: str
    report_date: date
    template: str
    printed: Printed
    numbers: numbering.Numbers | None
    skipped_duplicates: list[str]
    selected: int
    run: ExportRun | None = None
    batch: ManualExportBatch | BriefBatch | None = None
    recorded: int = 0
    output_path: str = ""
    file_error: str = field(default="", compare=False)

    @property
    def content(self) -> str:
        """The text."""
        return self.printed.text

    @property
    def sha256(self) -> str:
        """Of the text."""
        return self.printed.sha256

    @property
    def not_printed(self) -> list[NotShown]:
        """What was selected and is not in the text, and why."""
        return self.printed.not_printed

    @property
    def category_counts(self) -> dict[str, int]:
        """How many stories each heading has."""
        return self.printed.category_counts


def preview_by_hand(options: BriefOptions) -> Brief:
    """The brief as an export would print it now; nothing is written or locked.

    Nothing selected makes an empty preview. Raises ValidationError as export_by_hand does.
    """
    options = options.resolved()
    layout = layout_named(options.template)
    rows = _selected(options)
    numbers = numbering.numbers_of(layout, _day(options), period=options.period, total_period=options.total_period)
    printed = _printed(layout, rows, options, numbers)
    known = recording.recorded_by_hand(options.report_tag, [each.story.article_id for each in printed.placed])
    return _brief(options, printed, numbers, known, len(rows))


def export_by_hand(options: BriefOptions, *, actor: Any) -> Brief:
    """Print, record and mark what is selected, all or nothing; the file follows the commit.

    Only what is printed becomes exported. Raises ValidationError for an unknown template or article, a bad tag,
    number or file name, and when there is nothing to print; Conflict("preview-outdated") when the text is not
    the expected one, and Conflict("tag-has-other-date").
    """
    options = options.resolved()
    layout = layout_named(options.template)
    return atomic_retried(partial(_export, options, layout, actor))


def layout_named(slug: str) -> Layout:
    """The layout of a template. Raises ValidationError for an unknown one."""
    known = BriefTemplate.objects.prefetch_related("sections")
    template = known.filter(slug=slug).first() if recording.is_storable(slug) else None
    if template is None:
        message = _("There is no template %(name)r.")
        error = ValidationError(message, code="unknown-template", params={"name": slug[:100]})
        raise ValidationError({"template": error})
    return layout_of(template)


def _export(options: BriefOptions, layout: Layout, actor: Any) -> Brief:
    # locks first, then rows by id (docs/architecture.md): tag and date, reviews, number, items
    tag, day = options.report_tag, _day(options)
    held = recording.hold_manual_tag(tag, day)
    rows = _selected(options, for_update=True)
    numbers = numbering.take_numbers(layout, day, period=options.period, total_period=options.total_period)
    printed = _printed(layout, rows, options, numbers)
    if not printed.placed:
        raise _nothing(printed.not_printed)
    if options.expected_sha256 and options.expected_sha256 != printed.sha256:
        message = _("What is selected has changed since the preview. Look at it again before you export.")
        raise Conflict("preview-outdated", message, sha256=printed.sha256)
    reached("batch.before")
    payload = payload_of(printed, tag=tag, template=layout.slug, numbers=numbers, output_path=options.output_path)
    recorded = recording.record_manual_export(
        tag, day, recording.entries_of(printed), template=layout.slug, payload=payload, content=printed.text, held=held
    )
    brief = _brief(options, printed, numbers, recorded.skipped_duplicates, len(rows))
    brief.batch, brief.recorded = recorded.batch, len(recorded.items)
    brief.run = _run(options, brief, payload, actor, held.began, recorded.batch.updated_at)
    if options.mark_exported:
        _mark(rows, printed)
    record(actor=actor, action="brief.exported", target=recorded.batch, after=_as_audited(brief, options))
    transaction.on_commit(partial(_after_commit, brief), robust=True)
    reached("commit.before")
    return brief


def _day(options: BriefOptions) -> date:
    assert options.report_date is not None, "resolved() says it"
    return options.report_date


def _selected(options: BriefOptions, *, for_update: bool = False) -> list[tuple[Any, ...]]:
    """Rows of REVIEW_FIELDS by id. Raises ValidationError for wanted articles that are not selected."""
    reviews = ManualReview.objects.selected().order_by("id")
    if options.article_ids is not None:
        # what no text column can hold is not selected either, and the database would not let itself be asked
        reviews = reviews.filter(article_id__in=[each for each in options.article_ids if recording.is_storable(each)])
    if for_update:
        reviews = reviews.select_for_update(of=("self",), no_key=True)
    rows = list(reviews.values_list(*REVIEW_FIELDS))
    if options.article_ids is not None:
        found = {row[1] for row in rows}
        if missing := [each for each in dict.fromkeys(options.article_ids) if each not in found]:
            shown = ", ".join(each[:80] for each in missing[:5]) + (" …" if len(missing) > 5 else "")
            error = ValidationError(_("Not selected: %(ids)s."), code="not-selected", params={"ids": shown})
            raise ValidationError({"article_ids": error})
    return rows


def _printed(
    layout: Layout, rows: Collection[tuple[Any, ...]], options: BriefOptions, numbers: numbering.Numbers | None
) -> Printed:
    stories = map(story_of_row, rows)
    return print_brief(layout, stories, tag=options.report_tag, date=_day(options), numbers=numbers)


def _brief(
    options: BriefOptions, printed: Printed, numbers: numbering.Numbers | None, known: list[str], selected: int
) -> Brief:
    return Brief(
        report_tag=options.report_tag,
        report_date=_day(options),
        template=options.template,
        printed=printed,
        numbers=numbers,
        skipped_duplicates=known,
        selected=selected,
        output_path=options.output_path,
    )


def _nothing(not_printed: list[NotShown]) -> ValidationError:
    if not not_printed:
        return ValidationError(_("Nothing is selected."), code="nothing-to-export")
    message = _("Nothing of what is selected can be printed (%(count)s articles).")
    return ValidationError(message, code="nothing-to-export", params={"count": len(not_printed)})


def payload_of(
    printed: Printed, *, tag: str, template: str, numbers: numbering.Numbers | None, output_path: str = ""
) -> dict[str, Any]:
    """What a batch and its run keep of an export beside the text: its parameters and what was printed where."""
    by_section: dict[str, list[str]] = {}
    for each in printed.placed:
        by_section.setdefault(each.section, []).append(each.story.article_id)
    return {
        "report_tag": tag,
        "output_path": output_path,
        "template": template,
        **(numbers or {}),
        "category_counts": printed.category_counts,
        "printed": by_section,
    }


def _run(
    options: BriefOptions, brief: Brief, payload: dict[str, Any], actor: Any, began: datetime, ended: datetime
) -> ExportRun:
    """The run, born completed: everything was done in the request."""
    by_reason = Counter(each.reason for each in brief.not_printed)
    where = "brief_batch" if isinstance(brief.batch, BriefBatch) else "manual_batch"
    run = ExportRun(
        kind=Source.MANUAL,
        status=ExportRun.STATUSES.completed,
        progress=100,
        requested_by=actor if isinstance(actor, AbstractBaseUser) else None,  # type: ignore[misc]
        report_tag=brief.report_tag,
        report_date=brief.report_date,
        template=brief.template,
        mark_exported=options.mark_exported,
        skip_exported=False,
        output_path=options.output_path,
        funnel={
            "selected": brief.selected,
            "not_printed": dict(by_reason),
            "printed": len(brief.printed.placed),
            "duplicates": len(brief.skipped_duplicates),
            "recorded": brief.recorded,
        },
        payload=payload,
        content=brief.content,
        sha256=brief.sha256,
        printed=len(brief.printed.placed),
        recorded=brief.recorded,
        not_printed=[{"article_id": each.article_id, "reason": each.reason} for each in brief.not_printed],
        skipped_duplicates=brief.skipped_duplicates,
        started_at=began,
        finished_at=ended,
        **{where: brief.batch},
    )
    run.save(force_insert=True)
    return run


def _mark(rows: Collection[tuple[Any, ...]], printed: Printed) -> None:
    """Move the printed ones to exported; they keep their place, so that a restored list can tell it."""
    placed = {each.story.article_id for each in printed.placed}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE manual_reviews SET status = %s, version = version + 1, updated_at = clock_timestamp()"
            " WHERE id = ANY(%s)",
            [ReviewStatus.EXPORTED.value, [row[0] for row in rows if row[1] in placed]],
        )


def _as_audited(brief: Brief, options: BriefOptions) -> dict[str, Any]:
    return {
        "run": brief.run.pk if brief.run else None,
        "tag": brief.report_tag,
        "date": brief.report_date,
        "template": brief.template,
        "printed": len(brief.printed.placed),
        "recorded": brief.recorded,
        "duplicates": len(brief.skipped_duplicates),
        "notPrinted": len(brief.not_printed),
        "markExported": options.mark_exported,
        "outputPath": options.output_path,
        "sha256": brief.sha256,
    }


def _after_commit(brief: Brief) -> None:
    reached("commit.after")
    if brief.output_path and brief.run is not None:
        reached("publish.before")
        brief.file_error = files.write_after_commit(brief.run)
        reached("publish.after")
