"""Keep the catalogues complete without GNU gettext, which a bare machine lacks.

python -m config.catalogue --check      what `make check` runs: complete, well-formed, compiled
python -m config.catalogue --update     add the texts a catalogue lacks, untranslated
python -m config.catalogue --compile    write the .mo files
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
from django.utils.translation.template import templatize

BASE_DIR = Path(__file__).resolve().parent.parent
COMPLETE = "zh_Hans"  # en says what the code says and may stay empty
NOT_OURS = {".venv", ".git", "var", "tests", "bench", "staticfiles", "docs", "locale"}
# gettext function → where its arguments stand: context, text, plural
SIGNATURES: dict[str, tuple[int | None, int, int | None]] = {
    "gettext": (None, 0, None),
    "gettext_lazy": (None, 0, None),
    "gettext_noop": (None, 0, None),
    "ngettext": (None, 0, 1),
    "ngettext_lazy": (None, 0, 1),
    "pgettext": (0, 1, None),
    "pgettext_lazy": (0, 1, None),
    "npgettext": (0, 1, 2),
    "npgettext_lazy": (0, 1, 2),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)|%[sd]|\{(\w*)[^{}]*\}")

Text = tuple[str | None, str, str | None]  # context, text, plural


def main() -> int:
    """Do what the one option says; the exit code is 1 when a check found something."""
    parser = argparse.ArgumentParser(description="Keep the translation catalogues complete.")
    choice = parser.add_mutually_exclusive_group(required=True)
    for action in ("check", "update", "compile"):
        choice.add_argument(f"--{action}", dest="action", action="store_const", const=action)
    action = parser.parse_args().action
    catalogues = sorted(BASE_DIR.glob("locale/*/LC_MESSAGES/django.po"))
    if action == "check":
        faults = [fault for path in catalogues for fault in faults_of(path, texts_of(BASE_DIR))]
        faults += [] if catalogues else ["no catalogue in locale/"]
        print("\n".join(faults) or f"{len(catalogues)} catalogues are complete and compiled.")
        return 1 if faults else 0
    for path in catalogues:
        if action == "update":
            update(path, texts_of(BASE_DIR))
        else:
            path.with_suffix(".mo").write_bytes(polib.pofile(str(path)).to_binary())
    return 0


def faults_of(path: Path, texts: dict[Text, str]) -> list[str]:
    """What is wrong with a catalogue: a line for each text missing, untranslated, fuzzy, broken or stale."""
    catalogue = polib.pofile(str(path))
    compiled = path.with_suffix(".mo")
    faults = []
    if path.parent.parent.name == COMPLETE:
        known = {(entry.msgctxt, entry.msgid) for entry in catalogue if not entry.obsolete}
        faults += [
            f"{place}: {text!r} is not in the catalogue"
            for (context, text, _), place in texts.items()
            if (context, text) not in known
        ]
        faults += [
            f"line {entry.linenum}: {entry.msgid!r} is {'fuzzy' if entry.fuzzy else 'not translated'}"
            for entry in catalogue
            if not entry.obsolete and not entry.translated()
        ]
    faults += [
        f"line {entry.linenum}: {entry.msgid!r} and its translation differ in their placeholders"
        for entry in catalogue
        if entry.translated() and not _same_placeholders(entry)
    ]
    if not compiled.exists() or compiled.read_bytes() != catalogue.to_binary():
        faults.append("the .mo file is stale: make messages")
    return [f"{path.relative_to(path.parents[3])}: {fault}" for fault in faults]


def update(path: Path, texts: dict[Text, str]) -> None:
    """Append what the catalogue lacks, with the place it was found."""
    catalogue = polib.pofile(str(path))
    known = {(entry.msgctxt, entry.msgid) for entry in catalogue}
    for (context, text, plural), place in texts.items():
        if (context, text) in known:
            continue
        known.add((context, text))
        entry = polib.POEntry(msgctxt=context, msgid=text, occurrences=[(place, "")])
        if plural is not None:
            entry.msgid_plural, entry.msgstr_plural = plural, {0: ""}
        catalogue.append(entry)
    catalogue.save()


def texts_of(folder: Path) -> dict[Text, str]:
    """Every translatable text of our code and templates, with the first file it is found in."""
    found: dict[Text, str] = {}
    for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.html"), *folder.rglob("*.txt"))):
        place = path.relative_to(folder)
        if place.parts[0] in NOT_OURS or path.parent == folder:
            continue
        texts = _python_texts if path.suffix == ".py" else _template_texts
        for text in texts(path.read_text(encoding="utf-8")):
            found.setdefault(text, str(place))
    return found


def _python_texts(source: str) -> Iterator[Text]:
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name in SIGNATURES
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = names.get(called.id) if isinstance(called, ast.Name) else None
            if isinstance(called, ast.Attribute) and called.attr in SIGNATURES:
                name = called.attr
            if name:
                yield from _literal_call(name, node)


def _template_texts(source: str) -> Iterator[Text]:
    # templatize leaves only calls of gettext functions between blanked-out text
    python = templatize(source)
    for start in re.finditer(r"\b(?:(n?p?gettext)|_)\(", python):
        for end in re.finditer(r"\)", python[start.end() :]):
            try:
                call = ast.parse(python[start.start() : start.end() + end.end()], mode="eval").body
            except SyntaxError:
                continue  # a bracket inside the text
            if isinstance(call, ast.Call):
                yield from _literal_call(start[1] or "gettext", call)
            break


def _literal_call(name: str, call: ast.Call) -> Iterator[Text]:
    def literal(position: int | None) -> str | None:
        if position is None or position >= len(call.args):
            return None
        node = call.args[position]
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    context, text, plural = (literal(position) for position in SIGNATURES[name])
    if text is not None:
        yield context, text, plural


def _same_placeholders(entry: polib.POEntry) -> bool:
    def used(text: str) -> set[str]:
        return {match[0] for match in PLACEHOLDER.finditer(text)}

    wanted = used(entry.msgid) | used(entry.msgid_plural or "")
    translations = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
    # a count that the English singular does not name ("one product") need not be named
    return all(used(text) <= wanted and used(entry.msgid) <= used(text) for text in translations)


if __name__ == "__main__":
    sys.exit(main())
