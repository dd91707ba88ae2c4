"""Which sentences say something on a question, and not the same thing twice: TF-IDF and maximal marginal relevance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt

from llm.rules.scripts import tokens
from llm.rules.sentences import Sentence

RELEVANCE = 0.75  # against being new
FLOOR = 0.12  # a sentence less like the question than this says nothing on it
CANDIDATES = 200  # only so many of the best are compared with each other

Vector = dict[str, float]


class Ranking:
    """The sentences of some sources, ready to be asked."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.sentences = list(sentences)
        counts = [tokens(each.text) for each in self.sentences]
        documents = Counter(token for count in counts for token in count)
        self._idf = {token: log((1 + len(counts)) / (1 + number)) + 1 for token, number in documents.items()}
        self._unknown = log(1 + len(counts)) + 1
        self._vectors = [self._vector(count) for count in counts]

    def best(self, question: str, most: int, *, without: frozenset[Sentence] = frozenset()) -> list[Sentence]:
        """Up to `most` sentences on the question, in the order of the sources; none when none fits."""
        asked = self._vector(tokens(question))
        scored = [
            (score, at)
            for at, vector in enumerate(self._vectors)
            if self.sentences[at] not in without and (score := _cosine(asked, vector)) >= FLOOR
        ]
        left = sorted(scored, key=lambda each: (-each[0], each[1]))[:CANDIDATES]
        chosen: list[int] = []
        while left and len(chosen) < most:
            taken = max(left, key=lambda each: (self._marginal(each, chosen), -each[1]))
            left.remove(taken)
            chosen.append(taken[1])
        return [self.sentences[at] for at in sorted(chosen)]

    def _marginal(self, scored: tuple[float, int], chosen: list[int]) -> float:
        score, at = scored
        likeness = max((_cosine(self._vectors[at], self._vectors[other]) for other in chosen), default=0.0)
        return RELEVANCE * score - (1 - RELEVANCE) * likeness

    def _vector(self, count: Counter[str]) -> Vector:
        """Of length 1; words that no sentence has weigh most, so that an unrelated question stays unanswered."""
        weights = {token: number * self._idf.get(token, self._unknown) for token, number in count.items()}
        length = sqrt(sum(weight * weight for weight in weights.values()))
        return {token: weight / length for token, weight in weights.items()} if length else {}


def _cosine(one: Vector, other: Vector) -> float:
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other.get(token, 0.0) for token, weight in one.items())
