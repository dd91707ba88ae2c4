"""The words distillations speak in."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from runs.choices import RunStatus, Statuses


class Provider(TextChoices):
    """Who turned a keyword into topics, or topics into an article."""

    DEEPSEEK = "deepseek", "DeepSeek"
    GEMINI = "gemini", "Gemini"
    OLLAMA = "ollama", "Ollama"
    OPENAI = "openai", "OpenAI"
    RULES = "rules", _("Rules, no language model")
    MANUAL = "manual", pgettext_lazy("provider of topics", "By hand")


class TaskStatus(TextChoices):
    """What became of a generation task. Fewer articles than asked for is never plain success."""

    PENDING = RunStatus.PENDING.value, _("Pending")
    RUNNING = RunStatus.RUNNING.value, _("Running")
    COMPLETED = RunStatus.COMPLETED.value, _("Completed")
    PARTIAL = "partial", _("Partly completed")
    FAILED = RunStatus.FAILED.value, _("Failed")
    CANCELLED = RunStatus.CANCELLED.value, _("Cancelled")


TASK_STATUSES = Statuses(more_final=(TaskStatus.PARTIAL.value,))


class Mode(TextChoices):
    """How a task comes to its distillations."""

    AUTO = "auto", _("The least used ones")
    MANUAL = "manual", _("A chosen one")


class SlotStatus(TextChoices):
    """Where one article of a task stands. The first two hold a reservation of its distillation."""

    RESERVED = "reserved", _("Reserved")
    GENERATING = "generating", _("Being written")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    RELEASED = "released", _("Released")


HOLDING = (SlotStatus.RESERVED, SlotStatus.GENERATING)


class TaskError(TextChoices):
    """Why a task or one of its articles may fail, beside what may befall any run and what a model may do."""

    NOTHING_LEFT = "nothing-left", _("No distillation with a topic was left")
    ALL_FAILED = "all-failed", _("No article could be written")
    SOME_FAILED = "some-failed", _("Some articles could not be written")
    EMPTY_ARTICLE = "empty-article", _("The text that was written is empty")
