"""The words documents speak in."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from runs.choices import Statuses


class DocumentStatus(TextChoices):
    """Where a document task stands (document 002). While a worker has it the database says PARSING; which of the two
    in-between statuses it is, is told by the hot store."""

    PENDING = "pending", _("Pending")
    PARSING = "mineru_parsing", _("Reading the document")
    SHAPING = "llm_processing", _("Shaping the text")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


DOCUMENT_STATUSES = Statuses(
    running=DocumentStatus.PARSING.value,
    more_active=(DocumentStatus.SHAPING.value,),
)


class Stage(TextChoices):
    """What a document goes through, in this order; also where it failed."""

    UPLOAD = "upload", _("Upload")
    PARSE = "parse", _("Reading")
    TRANSFORM = "transform", _("Shaping")
    MOUNT = "mount", _("Mounting")
    TIMEOUT = "timeout", _("Time limit")


class WorkshopStatus(TextChoices):
    """Whether a document that is handed in now is soon read."""

    HEALTHY = "healthy", _("Healthy")
    DEGRADED = "degraded", _("Degraded")


class RuleMode(TextChoices):
    """How a text becomes JSON. Without a model configured, LLM means the composer by rules."""

    LLM = "llm", _("Shape it to the schema")
    WRAP = "wrap", _("Keep the text as it is")


class OnConflict(TextChoices):
    """What a mount does where its key is taken by something else."""

    ERROR = "error", _("Refuse")
    REPLACE = "replace", _("Replace it")
    SKIP = "skip", _("Leave it")


class DocumentError(TextChoices):
    """Why a document may be refused or its task fail, beside what may befall any run and what a model may do."""

    TOO_LARGE = "file-too-large", _("The file is too large")
    EMPTY_FILE = "empty-file", _("The file is empty")
    UNKNOWN_TYPE = "unknown-file-type", _("This kind of file cannot be read")
    WRONG_EXTENSION = "wrong-extension", _("The file is not what its name says")
    HAS_MACROS = "has-macros", _("The file contains macros")
    ENCRYPTED = "encrypted", _("The file is protected by a password")
    DAMAGED = "damaged-file", _("The file is damaged or cut off")
    UNSAFE_ARCHIVE = "unsafe-archive", _("The file unpacks to too much, or to where it should not")
    UNSAFE_XML = "unsafe-xml", _("The file refers to entities or to other files")
    TOO_MANY_PAGES = "too-many-pages", _("The document has too many pages")
    TOO_MANY_ROWS = "too-many-rows", _("A sheet has too many rows")
    NEEDS_OCR = "needs_ocr", _("A page has no text; it must be recognised first")
    NO_TEXT = "no-text", _("The document has no text")
    PARSER_DIED = "parser-died", _("Reading the document took too much memory or crashed")
    TIMED_OUT = "timed-out", _("The task took too long")
    FILE_LOST = "file-lost", _("The uploaded file is gone")
    PARSER_REFUSED = "parser-refused", _("The parsing server refused the document")
    PARSER_FAILED = "parser-failed", _("The parsing server could not read the document")
    PARSER_AWAY = "parser-away", _("The parsing server cannot be reached")
    UNSUPPORTED_SERVER = "unsupported-server", _("The parsing server speaks a version that is not supported")
    SCHEMA_MISMATCH = "schema-mismatch", _("The result does not fit the schema of the rule")
    TEXT_TOO_LONG = "text-too-long", _("The text is too long to be shaped")
