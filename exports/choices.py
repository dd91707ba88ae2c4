"""The words exports speak in."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ReviewStatus(TextChoices):
    """What an editor has decided about an article.

    The first four go freely among each other; exported is reached only by an export, and left only by
    "restore", which leads to pending.
    """

    PENDING = "pending", _("Pending")
    SELECTED = "selected", _("Selected")
    BACKUP = "backup", _("Backup")
    DISCARDED = "discarded", _("Discarded")
    EXPORTED = "exported", _("Exported")


DECIDABLE = (ReviewStatus.SELECTED, ReviewStatus.BACKUP, ReviewStatus.DISCARDED, ReviewStatus.PENDING)
RANKED = (ReviewStatus.SELECTED, ReviewStatus.BACKUP)  # lists an editor puts in order by hand


class Region(TextChoices):
    """Where a story happened, as seen from the paper's city."""

    INTERNAL = "internal", _("Internal")
    EXTERNAL = "external", _("External")
    UNKNOWN = "unknown", _("Unknown")


class Sentiment(TextChoices):
    """How a story speaks of its subject."""

    POSITIVE = "positive", _("Positive")
    NEGATIVE = "negative", _("Negative")
    UNKNOWN = "unknown", _("Unknown")


class Source(TextChoices):
    """Which of the two lines exported an article."""

    MANUAL = "manual", _("By hand")
    WORKER = "worker", _("By the worker")


class ManualStore(TextChoices):
    """Which tables hand-made exports are recorded in (EXPORTS_MANUAL_STORE)."""

    MANUAL = "manual", _("Their own tables")
    BRIEF = "brief", _("The worker's tables")


class SkipScope(TextChoices):
    """Which earlier briefs the worker looks at to leave an article out."""

    ALL = "all", _("Every earlier brief")
    WORKER = "worker", _("Only the worker's briefs")


class Numbering(TextChoices):
    """How the entries of a section are marked."""

    NONE = "none", _("By the marker")
    CHINESE = "chinese", _("一、二、三")
    ARABIC = "arabic", _("1. 2. 3.")


class NotPrinted(TextChoices):
    """Why a chosen article does not appear in the text. The slug is part of the API."""

    BUCKET_NOT_IN_TEMPLATE = "bucket-not-in-template", _("The template prints no section for it")
    NO_SUMMARY = "no-summary", _("It has no summary")


class Skipped(TextChoices):
    """Why the worker leaves a candidate out. The slug is part of the API."""

    EXPORTED_HERE = "exported-this-tag", _("Already in this brief")
    EXPORTED_BY_WORKER = "exported-by-worker", _("Already in an earlier brief of the worker")
    EXPORTED_BY_HAND = "exported-by-hand", _("Already in a brief made by hand")
    DISCARDED = "discarded", _("Discarded by an editor")
    BEYOND_LIMIT = "beyond-limit", _("Beyond the limit")
    BUCKET_NOT_IN_TEMPLATE = "bucket-not-in-template", _("The template prints no section for it")
    NO_SUMMARY = "no-summary", _("It has no summary")


class Likeness(TextChoices):
    """Why the worker put a story into a cluster. The slug is stored with the item."""

    BEST = "best", _("The best of its story")
    SAME_TEXT = "same-text", _("The same text")
    ALIKE = "alike", _("Nearly the same text")
    CONTAINED = "contained", _("One text lies in the other")


class ExportError(TextChoices):
    """Why an export run may fail, beside what may befall any run."""

    NOTHING_TO_EXPORT = "nothing-to-export", _("There was nothing to export")
    TEMPLATE_UNKNOWN = "template-unknown", _("The template no longer exists")
    TAG_HAS_OTHER_DATE = "tag-has-other-date", _("The tag belongs to another date")
