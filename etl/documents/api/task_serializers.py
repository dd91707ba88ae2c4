"""Document tasks as programs see them: the row, one with everything, and what is asked for."""

from __future__ import annotations

from typing import Any

from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from etl.documents.api.tables import MOST_ID
from etl.documents.choices import DocumentStatus, Stage
from etl.documents.hot import Hot
from etl.documents.models import DocumentStep, ETLTask
from etl.documents.pointers import join
from etl.documents.services import STAGES, DocumentWish, Upload
from etl.documents.texts import text_of
from llm.api import GeneratorSerializer
from llm.choices import GeneratorKind
from llm.generator import generator_label


class UploadSerializer(Serializer):
    """Files that are to be read, and what is to become of them."""

    project_id = serializers.IntegerField(min_value=1, max_value=MOST_ID)
    file = serializers.ListField(
        # an empty file and a wrong name have reasons of their own (etl.documents.services)
        child=serializers.FileField(allow_empty_file=True, use_url=False),
        min_length=1,
        help_text="Once, or many times.",
    )
    rule_id = serializers.IntegerField(
        min_value=1, max_value=MOST_ID, required=False, help_text="Without one the text itself is the result."
    )
    table_id = serializers.IntegerField(
        min_value=1, max_value=MOST_ID, required=False, help_text="Mount each result there when it is ready."
    )
    json_path = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, help_text="RFC 6901, of an object; needs tableId."
    )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, MultiValueDict):
            twice = [name for name, values in data.lists() if name != "file" and len(values) > 1]
            if twice:
                raise serializers.ValidationError({name: [_("Give it only once.")] for name in twice})
        return super().to_internal_value(data)

    def validate(self, wish: dict[str, Any]) -> dict[str, Any]:
        """A place without a table is a slip."""
        if "json_path" in wish and "table_id" not in wish:
            raise serializers.ValidationError({"json_path": [_("Name the table (tableId) too.")]})
        return wish

    def uploads(self) -> list[Upload]:
        """The validated files in the service's words; each may be read again."""
        return [Upload(file.name, file.chunks()) for file in self.validated_data["file"]]

    def wish(self) -> DocumentWish:
        """What is wanted of them."""
        given = self.validated_data
        ids = {name: given.get(name) for name in ("rule_id", "table_id")}
        return DocumentWish(given["project_id"], **ids, pointer=given.get("json_path", ""))


class RetrySerializer(Serializer):
    """Where a task is to begin again."""

    from_stage = serializers.ChoiceField(
        [(stage.value, stage.label) for stage in STAGES],
        default=None,
        allow_null=True,
        help_text="Without one: where it failed.",
    )


class StandingMountSerializer(Serializer):
    """Where a result stands in a table that the caller sees."""

    mount_id = serializers.IntegerField()
    table_id = serializers.IntegerField()
    mounted_path = serializers.CharField()
    table_version = serializers.IntegerField()


class MountWishSerializer(Serializer):
    """Where the result is mounted when it is ready, as was asked for at upload."""

    table_id = serializers.IntegerField()
    json_path = serializers.CharField()


class DocumentTaskSerializer(ModelSerializer):
    """A task in a list: without its result.

    The queryset is shown_to() a user; the context has what the hot store knows of the tasks, by id.
    """

    task_id = serializers.IntegerField(source="pk", read_only=True)
    user_id = serializers.IntegerField(source="requested_by_id", read_only=True, allow_null=True)
    project_id = serializers.IntegerField(read_only=True)
    rule_id = serializers.IntegerField(read_only=True, allow_null=True)
    status = serializers.SerializerMethodField(help_text="While a worker has it, as the worker said last.")
    stage = serializers.SerializerMethodField(help_text="What a worker is at; null when none has it.")
    progress = serializers.SerializerMethodField(help_text="Percent.")
    page = serializers.SerializerMethodField(help_text="Which page (or part) of `pages` a worker is at.")
    pages = serializers.SerializerMethodField()
    stalled = serializers.BooleanField(read_only=True)
    result = serializers.SerializerMethodField(help_text="Null in lists.")
    error = serializers.SerializerMethodField(help_text="What went wrong, in words.")
    error_code = serializers.SerializerMethodField(help_text="The same, for programs.")
    error_detail = serializers.CharField(source="error_text", read_only=True)
    error_stage = serializers.SerializerMethodField()
    metadata = JSONField(read_only=True)
    mount_wish = serializers.SerializerMethodField()
    mounts = serializers.SerializerMethodField(help_text="Where its result stands now.")

    class Meta:
        model = ETLTask
        fields: tuple[str, ...] = (
            "task_id", "user_id", "project_id", "rule_id", "rule_name", "filename", "media", "size", "sha256", "status",
            "stage", "progress", "page", "pages", "stalled", "attempt", "max_attempts", "retries", "created_at",
            "started_at", "heartbeat_at", "finished_at", "updated_at", "result", "error", "error_code", "error_detail",
            "error_stage", "metadata", "mount_wish", "mounts",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(DocumentStatus.choices))
    def get_status(self, task: ETLTask) -> str:
        """The database's word, and the worker's where it has said one."""
        hot = self._hot(task)
        return str(hot.status if hot else task.status)

    @extend_schema_field(serializers.ChoiceField(Stage.choices, allow_null=True))
    def get_stage(self, task: ETLTask) -> str | None:
        """Reading, as long as the worker has not said."""
        hot = self._hot(task)
        at_work = Stage.PARSE.value if task.status in task.STATUSES.active else None
        return hot.stage if hot else at_work

    def get_progress(self, task: ETLTask) -> int:
        """Never less than what is committed."""
        hot = self._hot(task)
        return max(task.progress, hot.percent) if hot else task.progress

    def get_page(self, task: ETLTask) -> int | None:
        """Null when no worker has said."""
        hot = self._hot(task)
        return hot.page if hot else None

    def get_pages(self, task: ETLTask) -> int | None:
        """Null when no worker has said, or knows."""
        hot = self._hot(task)
        return hot.pages if hot else None

    @extend_schema_field(JSONField())  # which may be null
    def get_result(self, task: ETLTask) -> Any:
        """Results may be long."""
        return None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error(self, task: ETLTask) -> str | None:
        """Null for one that went well. What a mount was refused for is told as it was told then."""
        if not task.error:
            return None
        label = str(task.error_label)
        return task.error_text if label == task.error and task.error_text else label

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error_code(self, task: ETLTask) -> str | None:
        """The slug."""
        return task.error or None

    @extend_schema_field(serializers.ChoiceField(Stage.choices, allow_null=True))
    def get_error_stage(self, task: ETLTask) -> str | None:
        """Where it failed."""
        return task.error_stage or None

    @extend_schema_field(MountWishSerializer(allow_null=True))
    def get_mount_wish(self, task: ETLTask) -> dict[str, Any] | None:
        """Null when none was asked for, or its table is gone."""
        if task.mount_table_id is None:
            return None
        return {"tableId": task.mount_table_id, "jsonPath": task.mount_pointer}

    @extend_schema_field(StandingMountSerializer(many=True))
    def get_mounts(self, task: ETLTask) -> list[dict[str, Any]]:
        """Oldest first."""
        standing = task.standing_mounts  # type: ignore[attr-defined]
        shown = [each | {"mounted_path": join(each["pointer"], each["key"])} for each in standing]
        return StandingMountSerializer(shown, many=True).data  # type: ignore[return-value]

    def _hot(self, task: ETLTask) -> Hot | None:
        return self.context.get("hot", {}).get(task.pk)  # type: ignore[no-any-return]


class DocumentStepSerializer(ModelSerializer):
    """What became of a stage in one of a task's retries."""

    error = serializers.SerializerMethodField()

    class Meta:
        model = DocumentStep
        fields = (
            "step", "retry", "outcome", "attempts", "milliseconds", "tokens", "error", "error_text", "is_void",
            "created_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error(self, step: DocumentStep) -> str | None:
        """The slug; null for one that went well."""
        return step.error or None


class ReadTextSerializer(Serializer):
    """Who read the text, and what there is to know of it."""

    parser = serializers.CharField()
    credit = serializers.CharField(help_text="Belongs beside the text wherever it is shown; often empty.")
    pages = serializers.IntegerField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField(), source="in_words")
    size = serializers.IntegerField(help_text="Bytes of Markdown.")


class DocumentTaskDetailSerializer(DocumentTaskSerializer):
    """One task with its result, its steps and what is to be said beside its text."""

    text = serializers.SerializerMethodField(help_text="Null while nothing was read.")
    generator = serializers.SerializerMethodField(help_text="Null while there is no result.")
    steps = serializers.SerializerMethodField()

    class Meta(DocumentTaskSerializer.Meta):
        fields = (*DocumentTaskSerializer.Meta.fields, "text", "generator", "steps")
        read_only_fields = fields

    @extend_schema_field(JSONField())  # which may be null
    def get_result(self, task: ETLTask) -> Any:
        """As it is stored."""
        return task.result

    @extend_schema_field(ReadTextSerializer(allow_null=True))
    def get_text(self, task: ETLTask) -> Any:
        """Of the last reading."""
        text = text_of(task)
        return None if text is None else ReadTextSerializer(text).data

    @extend_schema_field(GeneratorSerializer(allow_null=True))
    def get_generator(self, task: ETLTask) -> Any:
        """Who made the result of it."""
        return generator_shown(task)

    @extend_schema_field(DocumentStepSerializer(many=True))
    def get_steps(self, task: ETLTask) -> Any:
        """As they happened."""
        return DocumentStepSerializer(task.steps.in_order().defer("input", "output"), many=True).data


class MarkdownSerializer(ReadTextSerializer):
    """The text of a document, and what is to be said beside it."""

    task_id = serializers.IntegerField()
    filename = serializers.CharField()
    markdown = serializers.CharField()


class ResultSerializer(Serializer):
    """What a document was turned into. The inside of `output` is the document's: no key renamed, no digit changed."""

    task_id = serializers.IntegerField()
    filename = serializers.CharField()
    output = JSONField()
    generator = GeneratorSerializer(allow_null=True)
    unresolved = serializers.ListField(child=serializers.CharField(), help_text="Fields nothing was found for.")
    text = ReadTextSerializer(allow_null=True)


class DocumentTasksSerializer(Serializer):
    """Tasks in the order they were asked for."""

    tasks = DocumentTaskSerializer(many=True)
    total = serializers.IntegerField(min_value=0)


def generator_shown(task: ETLTask) -> Any:
    """Who made the result, as every answer with a result says it; None while there is none."""
    made = (task.result or {}).get("generator")
    if made is None:
        return None
    facts = {
        "generator_kind": made["kind"],
        "generator_name": made["name"],
        "generator_model": made["model"],
        "is_by_model": made["kind"] == GeneratorKind.LLM,
        "generator_label": generator_label(made["kind"], made["model"]),
    }
    return GeneratorSerializer(facts).data
