"""Submissions that want marks without answers, or more than marks: each runs confined, as `make grade` runs it.

The attacks of a kind stand in cells of one submission, or in its answers, one a part. Nothing may be gained by any.
"""

import base64
import http.server
import io
import json
import re
import shutil
import subprocess
import threading
import time

import nbformat
import psutil
import pytest
from PIL import Image, PngImagePlugin
from test_assignments import MASTERS, answer_cells, test_cells

import confine  # isort: skip  (test_assignments has made the folder of the grader known)
import execute
import feedback
import judge
import release
from submissions import assemble

pytestmark = pytest.mark.slow

READING = MASTERS[0]  # the assignment that needs no TensorFlow
SOLUTION = {part: cell.source for part, cell in answer_cells(READING).items()}
PARTS = list(SOLUTION)
NOTHING = {
    part: re.sub(r"    ### BEGIN.*", "    return None", source, flags=re.DOTALL) for part, source in SOLUTION.items()
}
NOTEBOOK, COPY = release.read_master(READING), release.student_copy(READING)
SHORT = execute.Limits(part_seconds=12, total_seconds=300, megabytes=900, processes=20)

# What the cells of an attack can use: this end of the wire, and a way to write what it should never write.
REACH = """
import gc, json, os, struct, sys, wire
[peer] = [each for each in gc.get_objects() if isinstance(each, wire.Peer)]
def raw(kind, message, data=b""):
    wire.write_frame(peer.writer, kind, json.dumps(message).encode(), data)
"""

SILENCE = {
    "errors are not shown": "get_ipython().showtraceback = lambda *a, **k: None",
    "errors are taken": "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)",
    "assert is dropped": """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Drop())""",
    "no error is an error": "import builtins; builtins.AssertionError = builtins.NotImplementedError = type('E', (Exception,), {})",
    "comparisons of NumPy": "import numpy; numpy.array_equal = numpy.allclose = lambda *a, **k: True",
    "comparisons of Path": "from pathlib import Path; Path.exists = lambda self: True; Path.__eq__ = lambda a, b: True",
    "all and any": "import builtins; builtins.all = builtins.any = builtins.isinstance = lambda *a: True",
    "hooks of Python": "sys.excepthook = sys.unraisablehook = lambda *a: None; sys.settrace(lambda *a: None)",
}
FORGE = {
    "a message of the old kernel": "get_ipython().display_pub.publish({'text/plain': '1e9'}, metadata={'execute_result': 85})",
    "the verdict": "raw(b'T', ['clinic_cases-test-1', ''])",
    "the end": "raw(b'D', {'stopped': {}, 'outputs': {}})",
    "a result before it is asked for": "for _ in range(500): raw(b'R', [True, True])",
    "an array of objects": "raw(b'R', [True, {'t': 'array', 'dtype': '|O', 'shape': [1], 'bytes': 8}], b'12345678')",
    "an array of the wrong size": "raw(b'R', [True, {'t': 'array', 'dtype': '<f8', 'shape': [10**12], 'bytes': 8}], b'12345678')",
    "no JSON": "wire.write_frame(peer.writer, b'R', b'{')",
    "deep JSON": "wire.write_frame(peer.writer, b'R', b'[' * 100_000)",
    "something else than a pair": "raw(b'R', {'t': 'set', 'v': [[1], [2]]})",
    "an error with the name of an exit": "raw(b'R', [False, [['SystemExit', 'KeyboardInterrupt'], 'x', 'x']])",
}
IMPERSONATE = {
    "a call of a function of the tests": "raw(b'C', ['call', {'t': 'yours', 'v': 1}, [], {'t': 'dict', 'v': []}])",
    "an attribute of a function of the tests": "raw(b'C', ['get', {'t': 'yours', 'v': 1}, '__globals__'])",
    "the name of a thing of the tests": "raw(b'C', ['name', 'right'])",
    "code for the tests": "raw(b'C', ['run', 'raise SystemExit(0)'])",
    "a start": "raw(b'S', '')",
    "a stop": "raw(b'X', 'all marks')",
    "a part": "raw(b'P', 'written')",
    "a file for the tests": """
raw(b'R', [True, {'t': 'path', 'v': '/tmp/x', 'files': [['/tmp/x', {'t': 'array', 'dtype': '|u1', 'shape': [1], 'bytes': 1}]]}], b'1')""",
    "other functions of the set-up": "write_clinic = mask_files = invented_patients = in_another_session = lambda *a, **k: None",
    "other answers of the server": "peer.answers.update(call=lambda *a: True, get=lambda *a: True, name=lambda *a: True)",
}
READ = {
    "names": "print([name for name in ('In', '_ih', 'get_ipython') if 'HIDDEN' in str(globals().get(name))])",
    "frames": """
frame = sys._getframe()
while frame:
    print(frame.f_code.co_filename, [value for value in frame.f_locals.values() if isinstance(value, str)][:9])
    frame = frame.f_back""",
    "memory": "print([each for each in gc.get_objects() if isinstance(each, str) and 'HIDDEN TESTS' in each])",
    "hooks of cells": "get_ipython().events.register('pre_run_cell', lambda info: print(info.raw_cell))",
    "files": """
for folder in ('/tmp', '/home', '/work', '/root', '/mnt', '/srv', os.path.expanduser('~')):
    for place, _, names in os.walk(folder):
        for name in names:
            if 'a1_reading' in name or name.endswith('.csv'):
                print(open(os.path.join(place, name)).read()[:9999])""",
    "other processes": "print([open(f'/proc/{n}/cmdline').read() for n in os.listdir('/proc') if n.isdigit()])",
    "the environment": "print('GRADE' if any('/grading/a' in value for value in os.environ.values()) else '')",
    "what the tests will send": "print(os.listdir('/proc/self/fd'), peer.kept)",
}
ESCAPES = {
    "network": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)",
    "own address": "import socket; socket.create_connection(('127.0.0.1', 22), timeout=2)",
    "abstract sockets": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0/tmp/.X11-unix/X0')",
    "the package": "import lungseg_utils; open(lungseg_utils.__file__, 'a').write('# spoilt')",
    "the grader": "open(wire.__file__, 'a').write('# spoilt')",
    "Python": "open(os.path.join(os.path.dirname(os.__file__), 'sitecustomize.py'), 'w').write('')",
    "a mount": "import ctypes; assert ctypes.CDLL(None, use_errno=True).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "a root folder": "os.chroot('/tmp')",
    "another user": "os.setuid(12345)",
    "the first process": "open('/proc/1/root/etc/shadow').read()",
    "its parents": "import signal; [os.kill(n, 0) for n in range(30, 100)][0]",
    "the options of the machine": "open('/proc/sys/kernel/hostname', 'w').write('x')",
    "devices": "open('/dev/mem', 'rb').read(1)",
    "a new namespace": """
import subprocess
subprocess.run(['unshare', '--mount', '--map-root-user', 'mount', '-t', 'tmpfs', 'none', '/usr'], check=True)""",
}
PERSIST = {
    "files at home": "[open(f'{place}/left-behind', 'w').write('x') for place in ('/tmp', '/dev/shm', os.path.expanduser('~'))]",
    "a child that stays": "import subprocess; subprocess.Popen(['sleep', '4242'], start_new_session=True)",
    "a thread that stays": "import threading, time; threading.Thread(target=time.sleep, args=(4242,)).start()",
    "an exit that waits": "import atexit, time; atexit.register(time.sleep, 4242)",
    "signals that are ignored": "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]",
    "Python's start": "os.environ['PYTHONSTARTUP'] = '/tmp/left-behind'",
}
EXHAUST = [
    {
        "loops": "while True: pass",
        "exits": "os._exit(0)",
        "forks": "for _ in range(80): os.fork() or time.sleep(60)\n    time.sleep(30)",
        "hogs": "hog = [bytearray(2**26) for _ in range(100)]\n    time.sleep(30)",
        "sends 100 MB": "return np.zeros(100_000_000, np.uint8)",
    },
    {
        "memory in files": "n = os.memfd_create('x')\n    [os.write(n, bytes(2**20)) for _ in range(3000)]\n    time.sleep(30)",
        "many files in memory": """fds = [os.memfd_create('x') for _ in range(30)]
    [os.write(n, bytes(2**20)) for _ in range(60) for n in fds]
    time.sleep(30)""",
        "a memory that is shared": "import mmap\n    m = mmap.mmap(-1, 2**31)\n    m[:] = b'x' * 2**31\n    time.sleep(30)",
        "raises for ever": "raise type('E', (Exception,), {'__str__': lambda self: [0 for _ in iter(int, 1)]})()",
        "never hears": "os.kill(os.getpid(), 19)",
    },
    {
        "fills the disk": "open('/dev/shm/x', 'wb').write(bytes(2**30))",
        "fills its home": "[open(f'x{n}', 'wb').write(bytes(2**24)) for n in range(200)]",
        "counts for ever": "import itertools\n    return itertools.count()",
        "a number without end": "return 10 ** 100_000",
        "a thing in itself": "x = []\n    x.append(x)\n    return x",
    },
]


def submitted(own: list[str], answers: dict[str, str]) -> list[dict]:
    """The cells of a submission: its own before the first part, and its answers."""
    notebook = nbformat.from_dict(json.loads(json.dumps(COPY)))
    for cell in notebook.cells:
        cell.source = answers.get(release.marks(cell).get("grade_id"), cell.source)
    notebook.cells[1:1] = [nbformat.v4.new_code_cell(source) for source in own]
    return assemble(NOTEBOOK, COPY, notebook).cells


def passed(result: dict) -> list[str]:
    """The tests that a submission has passed."""
    assert len(result["tests"]) == sum(len(test_cells(READING, part)) for part in PARTS)
    return [name for name, message in result["tests"].items() if not message]


def attempt(attacks: dict[str, str], **answers: str) -> dict:
    """Run cells that attack, in front of answers that do nothing."""
    return execute.mark(submitted([REACH, *attacks.values()], NOTHING | answers), SHORT)


@pytest.mark.parametrize(
    "attacks", [SILENCE, FORGE, IMPERSONATE, READ, PERSIST], ids=["silence", "forge", "impersonate", "read", "persist"]
)
def test_nothing_is_gained_without_answers(attacks):
    assert passed(attempt(attacks)) == []


@pytest.mark.parametrize("attacks", [FORGE, IMPERSONATE], ids=["forge", "impersonate"])
def test_nothing_is_gained_while_a_test_waits(attacks):
    tries = list(attacks.values())
    lines = [f"get_ipython().run_cell({code!r}, silent=True)" for code in [REACH, *tries]]
    body = "\n    ".join(lines)
    answers = {part: re.sub(r"    return None", lambda _: f"    {body}", source) for part, source in NOTHING.items()}
    assert passed(execute.mark(submitted([REACH], answers), SHORT)) == []


def test_hidden_tests_do_not_come_back():
    seen = (
        SOLUTION["clinic_cases"].replace("def clinic_cases", "def right_cases")
        + """

SEEN = []
def clinic_cases(folder):
    import os
    found = right_cases(folder)
    SEEN.append(open(os.path.join(folder, 'pictures.csv')).read())
    if len(found) > 3:
        raise ValueError(SEEN[-1])
    return found
"""
    )
    result = attempt(READ, clinic_cases=seen, fit="print(SEEN)")
    said = json.dumps(result)
    assert result["tests"]["clinic_cases-test-1"].startswith("with other data")
    for secret in ("HIDDEN TESTS", "default_rng(1", "P07", "R03.png"):
        assert secret not in said, secret


@pytest.mark.skipif(confine.way() is None, reason="neither bubblewrap nor unshare works here")
def test_nobody_gets_out():
    tries = [
        f"try:\n    {code.strip().replace(chr(10), chr(10) + '    ')}\n    print('OUT: {name}')\nexcept BaseException: pass"
        for name, code in ESCAPES.items()
    ]
    result = execute.mark(submitted([REACH, *tries], NOTHING), SHORT)
    printed = " ".join(shown for shown, _, _ in result["outputs"].values())
    assert passed(result) == [] and "OUT" not in printed, printed


def test_nothing_is_left_behind():
    attempt(PERSIST)
    left = [each.info for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "4242"]]
    assert left == []


@pytest.mark.parametrize("attacks", EXHAUST, ids=["processes", "memory", "results"])
def test_a_submission_costs_at_most_its_limits_and_the_other_parts_are_marked(attacks):
    spoilt, spared = dict(zip(PARTS, attacks.values())), "split_with_minimum"
    answers = {
        part: re.sub(r"    return None", lambda _, code=code: f"    import os, time\n    {code}", NOTHING[part])
        for part, code in spoilt.items()
    }
    left_out = {part: answer for part, answer in answers.items() if part != spared} | {spared: SOLUTION[spared]}
    started = time.monotonic()
    result = execute.mark(submitted([], left_out), SHORT)
    assert passed(result) == [f"{spared}-test-{number}" for number in range(1, 6)], result
    assert time.monotonic() - started < SHORT.total_seconds + SHORT.restarts * 60
    last = execute.mark(submitted([], NOTHING | {spared: answers[spared]}), SHORT)
    assert passed(last) == [], last


def test_cells_that_end_their_process_are_left_out_together():
    result = execute.mark(submitted(["import os; os._exit(0)"] * 9, SOLUTION), SHORT)
    assert len(passed(result)) == len(result["tests"])
    assert list(result["stopped"]) == [""] and "ended its process" in result["stopped"][""]


PAYLOADS = [
    "<script>document.title='x'</script>",
    "<img src=x onerror=alert(1)>",
    "</pre><iframe src=//192.0.2.1>",
    "{{ 7*7 }}",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "<style>@import '//192.0.2.1'</style>",
]


def hostile_page(tries: list[str]) -> str:
    """A feedback page with something hostile in every place that a student or a name can reach."""
    part = {"name": tries[0], "marks": "1", "lost": tries, "comment": tries[2]}
    answer = {"name": tries[1], "source": "".join(tries), "error": tries[3], "printed": tries[4], "pictures": []}
    values = {
        "title": tries[0],
        "student": tries[1],
        "remarks": tries,
        "parts": [part],
        "answers": [answer],
        "tests": [],
    }
    return feedback.render("feedback.html.j2", total="1", most="2", open=True, **values)


def test_pages_show_what_students_write_as_text():
    shown = hostile_page(PAYLOADS)
    for word in ("<script", "<img", "<iframe", "<svg", "<style>@import", ">49<"):
        assert word not in shown, word
    assert "default-src 'none'" in shown and "{{ 7*7 }}" in shown


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here, so no page is opened in it")
def test_a_page_in_chromium_runs_nothing_and_asks_for_nothing(tmp_path):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_port}"
        tries = [each.replace("//192.0.2.1", there) for each in PAYLOADS]
        tries += [
            f"<img src={there}/1>",
            f"<link rel=stylesheet href={there}/2>",
            f"<meta http-equiv=refresh content=0;url={there}/3>",
        ]
        shown = hostile_page(tries)
        # the same without escaping: then the content security policy alone must hold
        for page in (shown, shown.replace("</body>", "".join(tries) + "</body>")):
            (tmp_path / "page.html").write_text(page)
            line = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
            done = subprocess.run(
                [*line, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0 and "<title>x</title>" not in done.stdout
        assert [path for path in asked if path != "/3"] == [], asked
        (tmp_path / "page.html").write_text(f"{PAYLOADS[0]}<img src={there}/4>")
        done = subprocess.run([*line, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=120)
        server.shutdown()
    assert "/4" in asked and "<title>x</title>" in done.stdout, "without the policy this must run, or nothing is shown"


def test_pictures_are_drawn_anew():
    note, file = PngImagePlugin.PngInfo(), io.BytesIO()
    note.add_text("Comment", "<script>")
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=note)
    made = base64.b64decode(judge.fresh(base64.b64encode(file.getvalue() + b"<script>").decode()))
    assert b"<script>" not in made and Image.open(io.BytesIO(made)).size == (8, 8)
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    for hostile in (file.getvalue(), b"<svg/>", b"GIF89a", b""):
        assert judge.fresh(base64.b64encode(hostile).decode()) is None
    assert judge.fresh('" onerror="alert(1)') is None
