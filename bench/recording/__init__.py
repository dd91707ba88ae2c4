"""Recording exports: 8 writers with 50 articles each on one tag, and one export of many."""

from bench.recording import ours
from bench.recording.ways import Way

WAYS: dict[str, Way] = {
    "by-hand": ours.by_hand,
    "by-worker": ours.by_worker,
    "record-by-hand": ours.record_by_hand,
}
