"""The words product sync speaks in."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ChangeType(TextChoices):
    """What happened to a product."""

    CREATE = "CREATE", _("Created")
    UPDATE = "UPDATE", _("Updated")
    DELETE = "DELETE", _("Deleted")
    RESTORE = "RESTORE", _("Restored")


class Mode(TextChoices):
    """What a run is for. Every mode but REPLAY moves over everything it is about."""

    SYNC = "sync", _("Sync")
    FULL = "full", _("Full compare")
    REPLAY = "replay", _("Replay")
    REHASH = "rehash", _("Rehash")


class Phase(TextChoices):
    """What a run is reading, in this order; which of them it goes through depends on its mode."""

    REJECTS = "rejects", _("Rejected rows once more")
    UNTIMED = "untimed", _("Rows without a timestamp")
    PAGES = "pages", _("Pages of the source")
    KEYS = "keys", _("Rows of the keys asked for")
    COMPARE = "compare", _("Keys of the source against the products")
    DELETES = "deletes", _("Products gone from the source")
    REHASH = "rehash", _("Versions of the products")
    DONE = "done", _("Everything read")


class Resolution(TextChoices):
    """How a rejected row left the list."""

    MENDED = "mended", _("Mended at the source")
    GONE = "gone", _("Gone from the source")
    DISMISSED = "dismissed", _("Dismissed")


class SyncError(TextChoices):
    """Why a product sync may fail, beside what may befall any run."""

    WATERMARK_MOVED = "watermark-moved", _("Someone else moved the watermark")
    TOO_MANY_REJECTS = "too-many-rejects", _("More rows were rejected than allowed")
    SOURCE_UNUSABLE = "source-unusable", _("The source cannot be read")
    SHARD_FAILED = "shard-failed", _("A part of the run failed")
    TOO_MANY_DELETES = "too-many-deletes", _("More of the listed products would be deleted than allowed")
    SOURCE_UNREACHABLE = "source-unreachable", _("The source cannot be reached")


class RejectReason(TextChoices):
    """Why a staging row could not become a product. The slug is stored and part of the API."""

    ROW_TOO_LARGE = "row-too-large", _("Row is too large")
    MISSING_TIMESTAMP = "missing-timestamp", _("Timestamp is missing")
    MISSING_KEY = "missing-key", _("Brand or SKU is missing")
    TOO_LONG = "too-long", _("Text is too long")
    PRICE_MISSING = "price-missing", _("Price is missing")
    PRICE_NOT_A_NUMBER = "price-not-a-number", _("Price is not a number")
    PRICE_NOT_FINITE = "price-not-finite", _("Price is not finite")
    PRICE_NEGATIVE = "price-negative", _("Price is negative")
    PRICE_TOO_LARGE = "price-too-large", _("Price is too large")
    BAD_FLAG = "bad-flag", _("On-sale flag is not understood")
    INVALID_JSON = "invalid-json", _("JSON is not valid")
    WRONG_SHAPE = "wrong-shape", _("Value has the wrong shape")
    TOO_DEEP = "too-deep", _("JSON is nested too deeply")
    NUMBER_OUT_OF_RANGE = "number-out-of-range", _("Number is out of range")
    DUPLICATE_KEY = "duplicate-key", _("Two JSON keys become the same")
    NUL_CHARACTER = "nul-character", _("Text holds a NUL character")
    LONE_SURROGATE = "lone-surrogate", _("Text holds half a surrogate pair")
    TOO_MANY_MARKS = "too-many-marks", _("Text holds too many combining marks")
    UNSTORABLE = "unstorable", _("The database refuses the row")
