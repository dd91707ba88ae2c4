"""Which stories are the same one: near-identical texts, Chinese and English. Pure: no database, no clock.

1. A text (title and summary) is normalised: NFKC, simplified Chinese, lower case, only letters and digits.
2. Candidates: a sketch keeps the lowest hashes of its 5-grams; whoever shares some of them is worth a look.
3. Verification over 3-grams: one text lies in the other (containment) or both are alike (Jaccard).
4. Number guard: where both name at least two numbers and share less than half of the smaller set, they are two
   reports of one kind (October's prices and September's), not one story.

Stories are taken from the best to the worst and compared with the best of each cluster only, so a chain of small
changes never joins what is not alike, and the outcome does not depend on the order of the input. Best: the highest
score, then the earliest, then the lowest id.

N-grams of characters know no synonyms: a paraphrase of a story stays a story of its own.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple, Protocol
from zlib import crc32

from exports.choices import Likeness

SKETCH_SIZE = 40
SKETCH_GRAM, COMPARED_GRAM = 5, 3
UNIT = 2  # bytes of nearly every character in UTF-16
LONGEST_COMPARED = 4_000  # characters of a title or summary
CONTAINED_FROM, ALIKE_FROM = 0.8, 0.6
# a headline lies in a longer text by chance; from here on containment means something
FEWEST_GRAMS_CONTAINED = 24
LOOKED_AT = 10  # of those that share the most; a true duplicate shares more than a stranger
# what so many different stories say is a phrase, and finds nobody
COMMON_FROM = 64
FEWEST_NUMBERS, NUMBERS_SHARED = 2, 0.5

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NOT_TEXT = re.compile(r"[\W_]+")


class Clusterable(Protocol):
    """What is looked at of a story."""

    @property
    def article_id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def score(self) -> Decimal | None: ...
    @property
    def published_at(self) -> datetime | None: ...


class Member(NamedTuple):
    """One story of a cluster, and how much it is like the cluster's best."""

    article_id: str
    similarity: float
    reason: Likeness


class Cluster(NamedTuple):
    """Stories that are one; the first is the best, the others follow from best to worst."""

    members: tuple[Member, ...]

    @property
    def best(self) -> str:
        """The article that stands for all; it names the cluster."""
        return self.members[0].article_id


class Text(NamedTuple):
    """What is compared of a story: two words of letters and digits, and the numbers in them."""

    title: str
    summary: str
    numbers: frozenset[str]


def cluster(stories: Iterable[Clusterable]) -> list[Cluster]:
    """Every story in exactly one cluster, clusters from the best to the worst. Ids must be unique."""
    ordered = sorted(stories, key=by_worth)
    found = Clusters()
    for story, text in zip(ordered, texts_of(ordered), strict=True):
        found.take(story.article_id, text)
    return [Cluster(tuple(members)) for members in found.members]


def by_worth(story: Clusterable) -> tuple[bool, Decimal, datetime, str]:
    """Sorts the best first."""
    score = story.score
    return score is None, -(score or Decimal(0)), story.published_at or LAST_MOMENT, story.article_id


class Clusters:
    """What has been found so far. Only the best of each cluster is in the index."""

    def __init__(self) -> None:
        self.members: list[list[Member]] = []
        self._texts: list[Text] = []  # of the best, by number of the cluster
        self._of_text: dict[Text, int] = {}
        self._with_gram: defaultdict[int, list[int]] = defaultdict(list)

    def take(self, article_id: str, text: Text) -> None:
        """Put one story where it belongs; stories come from the best to the worst."""
        same = self._of_text.get(text)
        if same is not None:
            self.members[same].append(Member(article_id, 1.0, Likeness.SAME_TEXT))
            return
        sketch = sketch_of(text)
        found = self._most_alike(text, sketch)
        if found is not None:
            number, similarity, reason = found
            self.members[number].append(Member(article_id, similarity, reason))
            return
        number = len(self.members)
        self.members.append([Member(article_id, 1.0, Likeness.BEST)])
        self._texts.append(text)
        if text.title or text.summary:  # texts without a single letter are not alike
            self._of_text[text] = number
        for gram in sketch:
            others = self._with_gram[gram]
            if len(others) < COMMON_FROM:
                others.append(number)

    def _most_alike(self, text: Text, sketch: Sequence[int]) -> tuple[int, float, Likeness] | None:
        known = (self._with_gram[gram] for gram in sketch if gram in self._with_gram)
        shared = Counter(chain.from_iterable(others for others in known if len(others) < COMMON_FROM))
        # of equals the better cluster, which has the lower number
        nearest = heapq.nsmallest(LOOKED_AT, shared.items(), key=lambda each: (-each[1], each[0]))
        verdicts = ((number, compare(text, self._texts[number])) for number, _count in nearest)
        alike = [(-verdict[0], number, verdict) for number, verdict in verdicts if verdict is not None]
        if not alike:
            return None
        _key, number, (similarity, reason) = min(alike)
        return number, similarity, reason


def compare(one: Text, other: Text) -> tuple[float, Likeness] | None:
    """How alike two texts are and by which measure; None when they are two stories."""
    if are_different_numbers(one.numbers, other.numbers):
        return None
    ours, theirs = grams_of(one), grams_of(other)
    if not ours or not theirs:
        return None
    common, smaller = len(ours & theirs), min(len(ours), len(theirs))
    alike = common / (len(ours) + len(theirs) - common)
    if alike >= ALIKE_FROM:
        return round(alike, 3), Likeness.ALIKE
    if smaller >= FEWEST_GRAMS_CONTAINED and common / smaller >= CONTAINED_FROM:
        return round(common / smaller, 3), Likeness.CONTAINED
    return None


def are_different_numbers(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the numbers tell two reports of one kind apart."""
    smaller = min(len(one), len(other))
    return smaller >= FEWEST_NUMBERS and len(one & other) < NUMBERS_SHARED * smaller


def texts_of(stories: Sequence[Clusterable]) -> list[Text]:
    """The stories as they are compared."""
    return [text_of(story.title, story.summary) for story in stories]


def text_of(title: str, summary: str) -> Text:
    """A story's words without case, width, script, spaces and punctuation; and its numbers."""
    title, summary = _folded(title[:LONGEST_COMPARED]), _folded(summary[:LONGEST_COMPARED])
    numbers = frozenset(map(_plain_number, NUMBER.findall(f"{title} {summary}")))
    return Text(NOT_TEXT.sub("", title), NOT_TEXT.sub("", summary), numbers)


def sketch_of(text: Text) -> list[int]:
    """The lowest hashes of a text's 5-grams: of two texts that have much in common, the same ones."""
    hashes: set[int] = set()
    for part in (text.title, text.summary):
        units = part.encode("utf-16-le", "surrogatepass")
        length = SKETCH_GRAM * UNIT
        hashes.update([crc32(units[at : at + length]) for at in range(0, len(units) - length + 1, UNIT)])
        if 0 < len(units) < length:
            hashes.add(crc32(units))
    return heapq.nsmallest(SKETCH_SIZE, hashes)


@lru_cache(maxsize=2_000)
def grams_of(text: Text) -> frozenset[str]:
    """What texts are compared by: of title and summary each, so that a title repeated in the summary adds nothing."""
    parts = filter(None, (text.title, text.summary))
    return frozenset(
        part[at : at + COMPARED_GRAM] for part in parts for at in range(max(1, len(part) - COMPARED_GRAM + 1))
    )


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    return (text if text.isascii() else _simplified(text)).casefold()


def _simplified(text: str) -> str:
    # the converter is C: it ends a text at a NUL and cannot take half a character
    whole: str = _converter().convert(text.encode("utf-8", "replace").decode().replace("\0", " "))
    return whole


@cache
def _converter():  # type: ignore[no-untyped-def]  # the package has no types
    import opencc  # tables of 3 MB that only the worker needs

    return opencc.OpenCC("t2s")


def _plain_number(number: str) -> str:
    """1,200 is 1200 and 09 is 9."""
    return number.replace(",", "").lstrip("0") or "0"
