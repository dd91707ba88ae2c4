"""The worker of a document: read the file, shape its text, keep the result, mount it if that was asked for.

Two steps (runs.steps), so two transactions: the record that the text was read, and the result. What lies between is
told in Redis. Text and output lie in files beside the upload, named by their content.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from msgspec import Raw

from api.codec import encode
from etl.documents import hot, mounting, storage
from etl.documents.choices import DocumentError, DocumentStatus, OnConflict, Stage
from etl.documents.models import DocumentStep, ETLTask
from etl.documents.parsed import Parsed, Remote, Unreadable
from etl.documents.parsers import configured_parser
from etl.documents.refusals import Refused
from etl.documents.shaping.shape import PURPOSE, Shaped, shape
from runs.errors import Conflict, LeaseLost, Outage, RunFailed
from runs.lease import Lease
from runs.steps import Done, Steps

STEPS = (Stage.PARSE.value, Stage.TRANSFORM.value)
PARSED, SHAPED = 60, 100  # percent, as the original counts
READ_FROM = 10


def run_document(pk: int) -> None:
    """Work on one task until it has ended; do nothing when it is not to be had."""
    lease = Lease.take(ETLTask, pk)
    if lease is None:
        return
    with lease:
        # neither what an earlier retry has made nor the table it goes into is looked at, and either may be long
        tasks = ETLTask.objects.select_related("project", "rule", "requested_by").defer("result")
        task = tasks.get(pk=pk)
        Processing(lease, task).work()


class Processing:
    """One claimed task at work."""

    def __init__(self, lease: Lease, task: ETLTask) -> None:
        self.lease, self.task = lease, task
        self.teller = hot.Teller(task.pk, lease.token)
        self.stage = Stage.PARSE
        self.deadline = time.monotonic() + settings.ETL_TASK_TIMEOUT

    def work(self) -> None:
        """Both steps, or the reason why there is no result."""
        try:
            self.steps = Steps(self.lease, self.task, DocumentStep, names=STEPS, on_begin=self._begin)
            self._shape(self._read())
        except RunFailed as failure:
            stage = Stage.TIMEOUT if failure.slug == DocumentError.TIMED_OUT else self.stage
            why = {"error": failure.slug, "error_text": failure.text, "error_stage": stage}
            self.lease.finish(DocumentStatus.FAILED, **why, progress=0)
        except Outage:
            # should it fail at its attempt cap, this is where
            ETLTask.objects.held(self.task.pk, self.lease.token).update(error_stage=self.stage)
            raise

    def _read(self) -> dict[str, Any]:
        """Where the text lies, and what is to be said of it."""
        self.stage = Stage.PARSE
        inputs = {"sha256": self.task.sha256, "media": self.task.media, "parser": settings.ETL_PARSER}
        text: dict[str, Any] = self.steps.do(
            Stage.PARSE, inputs=inputs, work=self._parse, run_values={"progress": PARSED}
        )
        return text

    def _parse(self) -> Done:
        parsed = configured_parser().parse(
            storage.path_of(self.task.file),
            filename=self.task.filename,
            report=self._report_pages,
            remote=Remote(self.task.remote_id, self._keep_remote_id),
        )
        return Done(self._kept(parsed))

    def _kept(self, parsed: Parsed) -> dict[str, Any]:
        content = parsed.markdown.encode()
        return {
            "file": storage.keep(self.task, "text", "md", content),
            "size": len(content),
            "pages": parsed.pages,
            "parser": parsed.parser,
            "notes": parsed.notes,
            "remoteId": self.task.remote_id,
        }

    def _keep_remote_id(self, remote_id: str) -> None:
        if not ETLTask.objects.heartbeat(self.task.pk, self.lease.token, remote_id=remote_id):
            raise LeaseLost
        self.task.remote_id = remote_id

    def _shape(self, text: dict[str, Any]) -> None:
        """Shape the text; its record, the result and the end of the task are one transaction."""
        self.stage = Stage.TRANSFORM
        rule = self.task.rule
        inputs = {
            "text": text,
            "rule": [rule.mode, rule.json_schema, rule.system_prompt] if rule else None,
            "filename": self.task.filename,
            "by": [settings.LLM_PROVIDER, settings.LLM_MODEL, PURPOSE.version],
        }
        began = time.monotonic()

        def work() -> Done:  # read in here, so that a long text is gone from memory when its result is written
            content = storage.read(text["file"]).decode()
            shaped = shape(content, self.task, rule, report=self._report_parts)
            return Done(self._result(shaped, text, seconds=time.monotonic() - began), tokens=shaped.tokens)

        self.steps.do(Stage.TRANSFORM, inputs=inputs, work=work, store=self._complete, ends_run=True)

    def _result(self, shaped: Shaped, text: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        content = encode(shaped.output)
        return {
            "output_path": storage.keep(self.task, "output", "json", content),
            "output_size": len(content),
            "processing_time": round(seconds, 3),
            "mineru_task_id": text["remoteId"] or None,
            "parser": text["parser"],
            "pages": text["pages"],
            "notes": text["notes"],
            "generator": shaped.generator,
            "unresolved": shaped.unresolved,
        }

    def _complete(self, made: dict[str, Any]) -> None:
        """Within the step's transaction: the result on the task, its end, and the mount asked for at upload."""
        output = Raw(storage.read(made["output_path"]))  # JSON as it is: it may be long, and is not looked at
        self.lease.finish(DocumentStatus.COMPLETED, progress=SHAPED, error_stage="", result=made | {"output": output})
        if self.task.mount_table_id is not None:
            self._mount(self.task.mount_table_id)

    def _mount(self, table_id: int) -> None:
        """The same wish as one made later; what stands in its way is told, and the result stays mountable."""
        user = self.task.requested_by
        try:
            if user is None or not user.has_perm("etl.mount_table"):
                raise Conflict("not-allowed", _("Who asked for the mount may not mount any more."))
            with transaction.atomic():
                mounting.mount(
                    self.task,
                    table_id=table_id,
                    pointer=self.task.mount_pointer,
                    key=None,
                    on_conflict=OnConflict.ERROR,
                    user=user,
                    actor=user,
                )
        except (Conflict, Refused) as refusal:
            why = {"error": refusal.slug, "error_text": str(refusal.message), "error_stage": Stage.MOUNT}
            ETLTask.objects.filter(pk=self.task.pk).update(**why)

    def _begin(self, step: str, _key: str) -> None:
        self._check()
        self.teller.tell(Stage(step), READ_FROM if step == Stage.PARSE else PARSED)

    def _report_pages(self, page: int, pages: int | None) -> None:
        self._check()
        share = page / pages if pages else 0
        self.teller.tell(Stage.PARSE, READ_FROM + round((PARSED - READ_FROM) * min(share, 1)), page, pages)

    def _report_parts(self, part: int, parts: int | None) -> None:
        self._check()
        share = part / parts if parts else 0
        self.teller.tell(Stage.TRANSFORM, PARSED + round((SHAPED - PARSED) * min(share, 1)), part, parts)

    def _check(self) -> None:
        """Whether the task is still ours and still has time."""
        self.lease.check()
        if time.monotonic() > self.deadline:
            raise Unreadable(DocumentError.TIMED_OUT, f"> {settings.ETL_TASK_TIMEOUT:g} s")
