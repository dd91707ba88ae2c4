"""What the designs have in common."""

from collections.abc import Callable
from datetime import date

# (tag, date, article ids) → how many were new to the tag, and the text's sha256
Way = Callable[[str, date, list[str]], tuple[int, str]]
