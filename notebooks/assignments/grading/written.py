"""The teacher's marks for answers in words: nothing that stands there is ever lost.

`written.csv` is read as any spreadsheet writes it; before it is written anew, what stood there goes into `history/`.
"""

import csv
import hashlib
import re
from datetime import datetime
from pathlib import Path

from submissions import read_table

from lungseg_utils.files import write_whole

COLUMNS = ["student", "assignment", "part", "answer", "out of", "boxes", "mark", "comment", "earlier", "id"]
Key = tuple[str, str, str]


def harmless(text: str) -> str:
    """Text as a spreadsheet takes it for text: one that begins like a formula would be computed."""
    is_number = re.fullmatch(r"[-+]?[\d.,: ]*", text)
    return f"'{text}" if text.lstrip(" \n")[:1] in ("=", "+", "-", "@", "\t", "\r", "|") and not is_number else text


def write_rows(path: Path, columns: list[str], rows: list[dict]) -> None:
    """Write a table; the byte order mark makes spreadsheets read it as UTF-8. What stood there before is kept."""
    if path.exists():
        history = path.with_name("history")
        history.mkdir(exist_ok=True)
        before, now = path.read_bytes(), datetime.now()
        same = any(old.read_bytes() == before for old in history.glob(f"{path.stem}-*.csv"))
        if not same:
            (history / f"{path.stem}-{now:%Y%m%d-%H%M%S-%f}.csv").write_bytes(before)
    # whole or not at all: a teacher's marks stand in it
    with write_whole(path) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({key: harmless(str(value)) for key, value in row.items()} for row in rows)


def read_written(path: Path) -> dict[Key, dict[str, str]]:
    """What a teacher has written, by student, assignment and part.

    Raises:
        SystemExit: the table has lost a column, or a mark is no number from 0 to what the part is worth.
    """
    if not path.exists():
        return {}
    columns, rows = read_table(path)
    if gone := {"student", "assignment", "part", "mark", "comment"} - set(columns):
        raise SystemExit(f"{path} has no column {', '.join(sorted(gone))}. An earlier state of it lies in history/.")
    found = {}
    for row in rows:
        row = {column: row.get(column) or "" for column in [*COLUMNS, *columns]}
        row["student"] = row["student"].removeprefix("'")
        if row["mark"].strip():
            number(row, path)
        found[row["student"], row["assignment"], row["part"]] = row
    return found


def number(row: dict[str, str], path: Path) -> float:
    """The mark in a row."""
    try:
        mark, most = (float(row[column].strip().replace(",", ".") or "inf") for column in ("mark", "out of"))
    except ValueError:
        mark, most = -1, 0
    if not 0 <= mark <= most:
        what = f"the mark of {row['student']} is {row['mark']!r}"
        raise SystemExit(f"{path}: {what}. It must be a number, 0 to {row['out of']}.")
    return mark


def matched(student: str, assignment: str, texts: dict[str, str], worth: dict[str, float], before: dict) -> list[dict]:
    """The rows of a student's answers in words, with what the teacher has written about the same words before."""
    rows = []
    for part, text in texts.items():
        if not text:
            continue
        mark = f"x{hashlib.sha256(' '.join(text.split()).encode()).hexdigest()[:10]}"
        old = before.get((student, assignment, part), {})
        row = {**old, "student": student, "assignment": assignment, "part": part, "answer": text, "id": mark}
        row["out of"] = f"{worth[part]:g}"
        said = [old.get(column, "").strip() for column in ("mark", "comment")]
        if old.get("id", mark) != mark and any(said):
            earlier = [old.get("earlier", ""), f"for another answer: {' '.join(said).strip()}"]
            row |= {"mark": "", "comment": "", "boxes": "", "earlier": "; ".join(filter(None, earlier))}
        rows.append(row)
    return rows
