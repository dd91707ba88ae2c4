"""The file of a brief: below its folder, whole or not at all."""

import os

import pytest
from django.core.exceptions import ValidationError

from exports import files


@pytest.fixture
def folder(settings):
    """Where files of briefs go."""
    settings.EXPORTS_DIR.mkdir(parents=True)
    return settings.EXPORTS_DIR


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a\0b", "a\nb", "x" * 256, "日" * 86,
        "a/" * 600 + "x", "a\\..\\x", "folder/", "\ud800", "a/" * 401 + "x" * 200,
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_or_cannot_be_are_refused(folder, name):
    with pytest.raises(ValidationError) as refused:
        files.write(name, "text")
    assert [each.code for each in refused.value.error_dict["output_path"]] == ["bad-path"]
    assert list(folder.iterdir()) == []


def test_links_that_lead_out_are_refused(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (folder / "away").symlink_to(tmp_path / "outside")
    (folder / "file.txt").symlink_to(tmp_path / "outside" / "file.txt")
    (folder / "loop").symlink_to(folder / "loop")
    for name in ("away/x.txt", "file.txt", "loop", "loop/x"):
        with pytest.raises(ValidationError):
            files.write(name, "text")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_folder_is_no_file_and_a_file_no_folder(folder):
    files.write("a/b.txt", "text")
    for name in ("a", "a/b.txt/c"):
        with pytest.raises(ValidationError):
            files.write(name, "text")


@pytest.mark.parametrize("name", ["brief.txt", "2026/03/综报 (1).txt", "x" * 255, ".hidden", "a/./b", "-rf"])
def test_a_name_below_the_folder_is_written_with_its_folders(folder, name):
    path = files.write(name, "文\n")
    assert path.is_relative_to(folder.resolve())
    assert path.read_bytes() == "文\n".encode()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_an_existing_file_is_replaced_at_once(folder):
    path = files.write("brief.txt", "old")
    with path.open() as reader:
        files.write("brief.txt", "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_disk_that_refuses_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    path = files.write("brief.txt", "old")

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        files.write("brief.txt", "new")
    monkeypatch.undo()
    assert [each.name for each in folder.iterdir()] == ["brief.txt"]
    assert path.read_text() == "old"
