"""What learning platforms want back: Moodle's grading worksheet and feedback zip, Canvas' gradebook."""

import csv
import re
import zipfile
from pathlib import Path

from submissions import Submission, read_table
from written import harmless

from lungseg_utils.files import write_whole

CANVAS_COLUMN = re.compile(r"(.*) \((\d+)\)$")
CANVAS_NEEDS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Root Account", "Section")


def number_of(student: str) -> str:
    """The LMS's number of a student, as `submissions.who` put it behind the name; `""` without one."""
    found = re.search(r" (\d+)$", student)
    return found[1] if found else ""


def write_table(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    """Write a table that a learning platform reads: UTF-8, commas, and nothing that would be a formula."""
    with write_whole(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([harmless(row.get(column, "")) for column in columns] for row in rows)


def fill_moodle(table: Path, totals: dict[str, str], comments: dict[str, str], made: Path) -> int:
    """Fill in Moodle's offline grading worksheet, of which everything else stays as it was.

    Args:
        table: the worksheet; its column `Identifier` says "Participant 12345".
        totals: marks by the LMS's number of the student.
        comments: what to say with them.
        made: where the filled table goes.

    Returns:
        How many marks were filled in.
    """
    columns, rows = read_table(table)
    filled = 0
    for row in rows:
        participant = re.sub(r"\D", "", row["Identifier"])
        if participant in totals:
            row["Grade"] = totals[participant]
            if "Feedback comments" in columns:
                row["Feedback comments"] = comments[participant]
            filled += 1
    write_table(made, columns, rows)
    return filled


def fill_canvas(table: Path, totals: dict[str, dict[str, str]], titles: dict[str, str], made: Path) -> int:
    """Fill in the columns of the assignments in Canvas' gradebook, matched by the student's ID.

    A column is named like the assignment, its title or its file, with Canvas' number in brackets.

    Args:
        table: the exported gradebook.
        totals: for each assignment, marks by the LMS's number of the student.
        titles: of the assignments.
        made: where the filled table goes; only the columns that Canvas needs and those filled stand in it.

    Returns:
        How many marks were filled in.
    """
    columns, rows = read_table(table)
    chosen: dict[str, str] = {}
    for column in columns:
        named = CANVAS_COLUMN.match(column)
        for name in totals:
            words = {name, name.partition("_")[0], titles[name], *titles[name].split(" · ")}
            if named and named[1].strip().casefold() in {word.casefold() for word in words}:
                chosen[column] = name
    filled = 0
    for row in rows:
        for column, name in chosen.items():
            if row["ID"].strip() in totals[name]:
                row[column] = totals[name][row["ID"].strip()]
                filled += 1
    kept = [column for column in columns if column in chosen or column in CANVAS_NEEDS]
    write_table(made, kept, rows)
    return filled


def feedback_zip(found: list[Submission], pages: dict[str, Path], made: Path) -> None:
    """Put feedback pages into a zip, each under the name that the LMS knows the student's files by."""
    with write_whole(made) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in found:
            if one.student in pages:
                page, place = pages[one.student], one.place
                alone = place.endswith(".ipynb")  # Canvas knows files by their names, Moodle by their folders
                archive.write(page, f"{place.removesuffix('.ipynb')}.html" if alone else f"{place}/{page.name}")
