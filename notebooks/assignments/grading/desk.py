"""A page to mark answers in words, one question across the class: `make desk SUBMISSIONS=folder`, after `make grade`.

It runs on this machine alone, and writes into `written.csv`, which keeps its history. Boxes are those of the rubric in
the page beside each master. After it, run `make grade` once more.
"""

import argparse
import hashlib
import re
import secrets
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from feedback import render
from grade import RESULTS
from release import FOLDER
from written import COLUMNS, number, read_written, write_rows

LARGEST = 5_000_000  # bytes of a form


def rubric(assignment: str) -> list[tuple[str, str, str]]:
    """The boxes of an assignment: number, text and worth, from the table below "rubric" in its page."""
    text = (FOLDER / f"{assignment}.md").read_text(encoding="utf-8")
    table = re.search(r"rubric\n.*?((?:^\|[^\n]*\n)+)", text, re.DOTALL | re.MULTILINE)
    lines = [line.strip("| ").split("|", 1) for line in table[1].splitlines()] if table else []
    each = re.match(r"\s*(\d+) marks", lines[0][1]) if lines else None
    boxes = [(one.strip(), other.strip()) for one, other in lines[2:]]
    return [
        (str(at), f"{one}: {other}" if each else other, each[1] if each else re.sub(r"\D", "", one))
        for at, (one, other) in enumerate(boxes, 1)
    ]


class Desk:
    """The answers of a class, and what is written about them."""

    def __init__(self, table: Path, is_anonymous: bool) -> None:
        self.table, self.is_anonymous, self.token = table, is_anonymous, secrets.token_urlsafe()

    def questions(self) -> list[str]:
        """The questions that somebody has answered."""
        return sorted({f"{row['assignment']} {row['part']}" for row in read_written(self.table).values()})

    def answers(self, question: str) -> list[dict[str, str]]:
        """The answers to a question, in an order that says nothing about the student."""
        rows = [row for row in read_written(self.table).values() if f"{row['assignment']} {row['part']}" == question]
        for row in rows:
            row["key"] = hashlib.sha256(f"{self.token}{row['student']}".encode()).hexdigest()[:12]
        return sorted(rows, key=lambda row: row["key"])

    def page(self, question: str) -> str:
        """The page of a question."""
        answers = [
            row
            | {"label": f"Answer {place}" if self.is_anonymous else row["student"], "most": row["out of"]}
            | {"boxes": row["boxes"].split()}
            for place, row in enumerate(self.answers(question), 1)
        ]
        return render(
            "desk.html.j2",
            title=f"Answers in words: {question}",
            questions=self.questions(),
            question=question,
            answers=answers,
            rubric=rubric(question.split()[0]) if answers else [],
            done=sum(bool(row["mark"].strip()) for row in answers),
            table=self.table.name,
            token=self.token,
        )

    def save(self, question: str, form: dict[str, list[str]]) -> None:
        """Write what was sent into the table; a mark that is none stops it, and the table stays as it was."""
        rows = {(row["student"], row["assignment"], row["part"]): row for row in read_written(self.table).values()}
        worth = {at: float(points.replace(",", ".")) for at, _, points in rubric(question.split()[0])}
        for answer in self.answers(question):
            row = rows[answer["student"], answer["assignment"], answer["part"]]
            key = answer["key"]
            boxes = [box for box in form.get(f"box {key}", []) if box in worth]
            row["boxes"], row["comment"] = " ".join(boxes), form.get(f"comment {key}", [""])[0].replace("\r\n", "\n")
            said = form.get(f"mark {key}", [""])[0].strip()
            row["mark"] = said or (f"{sum(worth[box] for box in boxes):g}" if boxes else "")
            if row["mark"]:
                number(row, self.table)
        columns = dict.fromkeys([*COLUMNS, *(key for row in rows.values() for key in row)])
        write_rows(self.table, list(columns), list(rows.values()))


def handler(desk: Desk, port: int) -> type[BaseHTTPRequestHandler]:
    """What answers a browser on this machine; a page of somebody else cannot speak for it, since it lacks the token."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, text: str, where: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            if where:
                self.send_header("Location", where)
            self.end_headers()
            self.wfile.write(text.encode())

        def question(self) -> str:
            asked = parse_qs(urlsplit(self.path).query).get("question", [""])[0]
            known = desk.questions()
            return asked if asked in known else known[0] if known else ""

        def do_GET(self) -> None:
            if self.headers.get("Host") != f"127.0.0.1:{port}":
                return self.answer(403, "")
            token = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
            cookie = f"desk={desk.token}"
            if secrets.compare_digest(token, desk.token):
                self.send_response(303)
                self.send_header("Set-Cookie", f"{cookie}; HttpOnly; SameSite=Strict")
                self.send_header("Location", "/")
                return self.end_headers()
            if cookie not in self.headers.get("Cookie", ""):
                return self.answer(403, "Open the address that the command has printed.")
            return self.answer(200, desk.page(self.question()))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = parse_qs(self.rfile.read(min(length, LARGEST)).decode(), keep_blank_values=True)
            if not secrets.compare_digest(form.get("token", [""])[0], desk.token):
                return self.answer(403, "")
            question = self.question()
            try:
                desk.save(question, form)
            except SystemExit as error:
                return self.answer(
                    400, f"<p>Nothing was saved. {str(error).replace('<', '&lt;')}</p><p>Go back and mend it.</p>"
                )
            return self.answer(303, "", self.path)

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing on the screen."""

    return Handler


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", type=Path, help="the folder that `make grade` was given")
    parser.add_argument("--anonymous", action="store_true", help="show numbers, not names")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    table = RESULTS / options.submissions.resolve().name / "written.csv"
    if not table.exists():
        sys.exit(f"{table} is not there yet: run `make grade SUBMISSIONS={options.submissions}` first.")
    desk = Desk(table, options.anonymous)
    server = HTTPServer(("127.0.0.1", options.port), handler(desk, options.port))
    print(f"Open http://127.0.0.1:{options.port}/?token={desk.token} in a browser; Ctrl-C ends it.", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
