"""How much of everything one document may be and take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one document and of the process that reads it; plain numbers, so that they travel as JSON."""

    file_bytes: int = 100_000_000
    pages: int = 1000
    rows: int = 50_000  # of a sheet or a CSV
    entries: int = 1000  # of an archive
    ratio: int = 100  # unpacked to packed
    memory_bytes: int = 1_500_000_000
    cpu_seconds: int = 120
    seconds: int = 600  # on the clock
    text_bytes: int = 10_000_000  # of the Markdown, which the parent holds in memory

    @property
    def unpacked_bytes(self) -> int:
        """What an archive may unpack to, however well it is packed: reading it at the door must stay quick."""
        return 4 * self.file_bytes
