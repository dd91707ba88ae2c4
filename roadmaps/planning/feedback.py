"""What rules can follow of a reviewer's words: remove or shorten a concept or module that is named exactly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from roadmaps.contracts import ConceptDesign, Framework, ModuleDesign
from roadmaps.planning.phrases import listed, say, sentences
from roadmaps.structure import concepts, numbered

SHORTEST = Decimal("0.5")
KIND = r"(?:the )?(?:(?:concept|module)s? |概念|模块)?"
REMOVE = re.compile(
    rf"^(?:please )?(?:remove|drop|delete|leave out|skip) {KIND}(.+)$"
    rf"|^请?(?:去掉|删除|删掉|移除|不要|去除) ?{KIND}(.+)$"
)
SHORTEN = re.compile(
    rf"^(?:please )?(?:shorten|cut down|reduce) {KIND}(.+)$"
    rf"|^请?(?:缩短|压缩|减少) ?{KIND}(.+)$"
)
KIND_AFTER = re.compile(r"(?:的?(?:概念|模块)| (?:concept|module))$")
TO_HOURS = re.compile(r"^(.+?)\s*(?: to |到|至|为)\s*(\d+(?:\.\d)?)\s*(?:h|hours?|小时|个小时|学时)$")
CLAUSES = re.compile(r"[\n。；;！!]+|\.(?:\s+|$)")
NAMES = re.compile(r"\s*(?:,|、|，|\band\b|和|与|以及)\s*")
QUOTES = "\"'“”‘’「」『』《》` "

Told = tuple[str, dict[str, Any]]  # a phrase and its facts
Changed = tuple[Framework, Told]
Obeyed = tuple[Framework, list[Told]]


def followed(framework: Framework, feedback: str, language: str) -> tuple[Framework, str]:
    """The tree after every clause that could be followed, and what was done and what was not."""
    done: list[str] = []
    refused: list[str] = []
    tree = framework
    for clause in filter(None, (each.strip() for each in CLAUSES.split(feedback))):
        changed = _obeyed(tree, clause)
        if changed is None:
            refused.append(clause)
        else:
            tree, told = changed
            done += [say(language, phrase, **facts) for phrase, facts in told]
    parts = [say(language, "mend.done", changes=listed(language, done))] if done else []
    if refused:
        parts.append(say(language, "feedback.refused", texts=listed(language, [f"“{each[:200]}”" for each in refused])))
    if not done:
        parts.append(say(language, "feedback.unchanged"))
    return tree, sentences(language, parts)


def _obeyed(tree: Framework, clause: str) -> Obeyed | None:
    """The tree after one clause, and what was done; None when any of it cannot be followed."""
    plain = _folded(clause)
    if found := REMOVE.match(plain):
        return _each(tree, found.group(1) or found.group(2), _removed)
    if found := SHORTEN.match(plain):
        return _each(tree, found.group(1) or found.group(2), _shortened)
    return None


def _each(tree: Framework, named: str, change: Callable[[Framework, str], Changed | None]) -> Obeyed | None:
    """One change for one name; for several names when the whole is none. All or nothing."""
    whole = change(tree, named)
    if whole is not None:
        return whole[0], [whole[1]]
    told = []
    for name in NAMES.split(named):
        one = change(tree, name)
        if one is None:
            return None
        tree = one[0]
        told.append(one[1])
    return tree, told


def _removed(tree: Framework, name: str) -> Changed | None:
    part = _named(tree, name)
    if part is None:
        return None
    without = _without(tree, part)
    return (without, ("feedback.removed", {"name": part.name})) if without is not None else None


def _shortened(tree: Framework, text: str) -> Changed | None:
    """To the hours that are named, else to half; a module by each of its concepts."""
    hours = None
    part = _named(tree, text)
    if part is None and (stated := TO_HOURS.match(text)):
        part, hours = _named(tree, stated.group(1)), Decimal(stated.group(2))
    if part is None:
        return None
    inside = [part] if isinstance(part, ConceptDesign) else part.concepts
    before = sum((each.estimated_hours for each in inside), Decimal(0))
    wanted = before / 2 if hours is None else hours
    if wanted >= before or wanted < SHORTEST * len(inside):
        return None
    copy = tree.model_copy(deep=True)
    ids = {each.concept_id for each in inside}
    for concept in concepts(copy):
        if concept.concept_id in ids:
            share = (concept.estimated_hours * wanted / before).quantize(Decimal("0.1"), ROUND_HALF_UP)
            concept.estimated_hours = max(SHORTEST, share)
    after = sum((each.estimated_hours for each in concepts(copy) if each.concept_id in ids), Decimal(0))
    return copy, ("feedback.shortened", {"name": part.name, "hours": after})


def _named(tree: Framework, name: str) -> ConceptDesign | ModuleDesign | None:
    """The one concept or module of that name or id; None also when several share it."""
    plain = _bare(name)
    wanted = {plain, _bare(KIND_AFTER.sub("", plain))}
    modules = [module for stage in tree.stages for module in stage.modules]
    found: list[ConceptDesign | ModuleDesign] = [
        *(each for each in concepts(tree) if {_bare(each.name), each.concept_id} & wanted),
        *(each for each in modules if {_bare(each.name), each.module_id} & wanted),
    ]
    return found[0] if len(found) == 1 else None


def _without(tree: Framework, part: ConceptDesign | ModuleDesign) -> Framework | None:
    """The tree without a concept or module and without what would be empty then; those that needed it need what it
    needed. None when nothing would be left."""
    gone = {part.concept_id} if isinstance(part, ConceptDesign) else {each.concept_id for each in part.concepts}
    needs = {each.concept_id: each.prerequisites for each in concepts(tree)}
    stages = []
    for stage in tree.stages:
        modules = []
        for module in stage.modules:
            left = [
                each.model_copy(update={"prerequisites": _past(each.prerequisites, gone, needs)})
                for each in module.concepts
                if each.concept_id not in gone
            ]
            if left:
                modules.append(module.model_copy(update={"concepts": left}))
        if modules:
            stages.append(stage.model_copy(update={"modules": modules}))
    return numbered(tree.model_copy(update={"stages": stages})) if stages else None


def _past(wanted: list[str], gone: set[str], needs: dict[str, list[str]]) -> list[str]:
    """The prerequisites with those that are gone replaced by what they needed."""
    found: dict[str, None] = {}
    waiting, seen = list(wanted), set()
    while waiting:
        each = waiting.pop(0)
        if each in gone and each not in seen:
            seen.add(each)
            waiting = [*needs.get(each, []), *waiting]
        elif each not in gone:
            found[each] = None
    return list(found)


def _bare(name: str) -> str:
    return _folded(name).strip(QUOTES).removeprefix("the ")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".,!?。，！？ ")
