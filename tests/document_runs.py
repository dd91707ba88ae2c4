"""Documents as fault tests see them: files that are uploaded, tasks that are watched, and what they must leave."""

from uuid import uuid4

from conftest import make_user
from documents import project
from etl.documents.models import DocumentStep, ETLTask
from etl.documents.samples import portable
from etl.documents.services import MOST_FILES, DocumentWish, Upload, request_documents
from faulting import FAST, eventually
from making_documents import pdf_of, xlsx
from processes import python

KINDS = ("txt", "csv", "xlsx", "pdf", "md")


def file(number):
    """Name and content of the nth file: every kind, no two alike."""
    kind = KINDS[number % len(KINDS)]
    content = {
        "txt": lambda: f"Invoice {number}\n\nTotal: {number}.10\n".encode(),
        "csv": lambda: f"名称,单价\n杯子 {number},1.10\n".encode(),
        "xlsx": lambda: xlsx(f'<row r="1"><c r="A1"><v>{number}</v></c></row>'),
        "pdf": lambda: pdf_of(_page(number)),
        "md": lambda: f"# Chapter {number}\n\nWhat was said.\n".encode(),
    }[kind]()
    return f"document-{number}.{kind}", content


def _page(number):
    page = portable.Page()
    for line in range(3):
        page.text(60, 80 + 16 * line, f"Page of document {number}, line {line}, with some words to read.")
    return page


class Watched:
    """Tasks as a test watches them; all waiting outlasts a server that is away."""

    def __init__(self, pks):
        self.pks = list(pks)

    @property
    def rows(self):
        """The tasks now."""
        return list(ETLTask.objects.filter(pk__in=self.pks).order_by("pk"))

    @property
    def row(self):
        """The only one."""
        (task,) = self.rows
        return task

    @property
    def done(self):
        """How many have ended."""
        return ETLTask.objects.filter(pk__in=self.pks).finished().count()

    def reach(self, count, timeout=120):
        """Wait until so many have ended."""
        count = min(count, len(self.pks))
        eventually(lambda: self.done >= count, timeout=timeout, what=f"task {count} of {len(self.pks)}")

    def move_on(self):
        """Wait for the next to end."""
        self.reach(eventually(lambda: [self.done], what="the tasks")[0] + 1)

    def end(self, timeout=600):
        """Wait for the end of all; the tasks."""
        self.reach(len(self.pks), timeout)
        return self.rows

    def hurry(self):
        """Spare what was given back the pause before it is tried again."""
        ETLTask.objects.filter(pk__in=self.pks, status="pending").update(not_before=None)


def requested(*numbers, files=(), user=None, **wish):
    """Tasks for the files of these numbers, or for `files` of (name, content), as an operator uploads them."""
    user = user or make_user(f"operator-{uuid4().hex}", role="operator")
    of = wish.pop("project", None) or project(user)
    uploads = [Upload(name, [content]) for name, content in [*map(file, numbers), *files]]
    tasks = []
    for at in range(0, len(uploads), MOST_FILES):
        tasks += request_documents(uploads[at : at + MOST_FILES], DocumentWish(of.pk, **wish), user=user)
    return Watched(task.pk for task in tasks)


def requested_elsewhere(folder, **extra):
    """One from a process of its own, for failpoints of its own: how the process ended."""
    user = make_user(f"operator-{uuid4().hex}", role="operator")
    return python(
        f"""
from django.contrib.auth.models import User
from etl.documents.services import DocumentWish, Upload, request_documents
request_documents(
    [Upload("a.txt", [b"Hello.", b"Goodbye."])], DocumentWish({project(user).pk}), user=User.objects.get(pk={user.pk})
)
""",
        DOCUMENTS_DIR=str(folder),
        **FAST,
        **extra,
    ).returncode


def steps(tasks):
    """What is kept of the steps of these tasks: (task, retry, step, outcome)."""
    kept = DocumentStep.objects.filter(run__in=tasks.pks).order_by("run", "retry", "id")
    return list(kept.values_list("run", "retry", "step", "outcome"))


def assert_made_once_each(tasks):
    """Every task is completed, and each of its steps was made once."""
    ended = tasks.rows
    assert {(task.status, task.error, task.error_text) for task in ended} == {("completed", "", "")}
    assert steps(tasks) == [(pk, 0, step, "done") for pk in sorted(tasks.pks) for step in ("parse", "transform")]
