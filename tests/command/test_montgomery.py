"""The download of the real set, against a server on this machine: no test reaches an outside address."""

import hashlib
import io
import random
import shutil
import socket
import stat
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from local_server import LocalServer, redirect, send, status
from shared import REPOSITORY

from lungseg_utils.command import montgomery
from lungseg_utils.command.montgomery import Archive, DownloadError, fetch_montgomery

CASES = 3
FILES = {f"MontgomerySet/ClinicalReadings/MCUCXR_000{case}_0.txt": b"normal\n" for case in range(CASES)}
for folder in ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask"):
    for case in range(CASES):
        FILES[f"MontgomerySet/{folder}/MCUCXR_000{case}_0.png"] = random.Random(len(FILES)).randbytes(30_000)
CUT = 102_400  # bytes, a multiple of the server's pieces, about a third of the archive


def zip_of(files: dict[str, bytes], link: str | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Make an archive with these members and, where named, a symbolic link to /etc/passwd."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in files.items():
            file.writestr(name, data)
        if link:
            member = zipfile.ZipInfo(link)
            member.create_system = 3  # Unix
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(member, "/etc/passwd")
    return buffer.getvalue()


def archive_of(data: bytes) -> Archive:
    return Archive("set.zip", len(data), hashlib.sha256(data).hexdigest(), "MontgomerySet", CASES)


DATA = zip_of(FILES)
ARCHIVE = archive_of(DATA)
TERMS_AND_STEPS = ["outside your research group", "National Library of Medicine", "10.1109/TMI.2013.2290491"]
TERMS_AND_STEPS += ["10.1109/TMI.2013.2284099", montgomery.LISTING, "make course DATA=/path/to/MontgomerySet"]
OTHER_BYTES = b"PK" + bytes(len(DATA) - 2)  # right size, wrong checksum


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch):
    """Refuse every connection to elsewhere, ignore proxies, do not pause."""
    connect = socket.socket.connect

    def guarded(self, address):
        assert address[0] == "127.0.0.1", f"a test reached for {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(montgomery, "ADDRESSES", ())
    monkeypatch.setattr(montgomery, "TIMEOUT_S", 10.0)
    monkeypatch.setattr(montgomery, "PAUSE_S", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    server = LocalServer()
    yield server
    server.stop()


def part_in(folder: Path) -> Path:
    return folder / "set.zip.part"


def assert_whole(folder: Path) -> None:
    """All files are there with the right bytes, and nothing else is."""
    found = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert found == FILES
    assert [path.name for path in folder.iterdir()] == ["MontgomerySet"]


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch the set from these routes, one after the other, and look whether all of it came."""

    def go(*routes, archive: Archive = ARCHIVE) -> None:
        fetch_montgomery(tmp_path, [server.add(f"/{n}.zip", route) for n, route in enumerate(routes)], archive)
        assert_whole(tmp_path)

    return go


def assert_fails(folder: Path, addresses: list[str], archive: Archive = ARCHIVE) -> str:
    """The fetch fails, leaves nothing but perhaps a partial download, and says what to do."""
    with pytest.raises(DownloadError) as caught:
        fetch_montgomery(folder, addresses, archive)
    assert {path.name for path in folder.iterdir()} <= {"set.zip.part"}
    message = str(caught.value)
    for words in (*TERMS_AND_STEPS, str(folder / "MontgomerySet")):
        assert words in message
    return message


def test_constants_are_those_of_the_official_archive():
    assert montgomery.MONTGOMERY.size == 616_853_875
    assert montgomery.MONTGOMERY.sha256.startswith("54601e95") and len(montgomery.MONTGOMERY.sha256) == 64
    assert montgomery.MONTGOMERY.size * montgomery.SPACE_FACTOR == pytest.approx(1.3e9, rel=0.01)


def test_good_download_and_no_second_one(server, tmp_path, capsys, monkeypatch):
    folder, printed = tmp_path / "my X-rays 胸部" / "real", []

    def route(handler):
        printed.append(capsys.readouterr().out)
        send(DATA, says_size=False)(handler)

    monkeypatch.setattr(montgomery, "ADDRESSES", (server.add("/a.zip", route),))
    assert fetch_montgomery(folder, archive=ARCHIVE) == folder / "MontgomerySet"
    assert_whole(folder)
    assert montgomery.TERMS in printed[0], "before the first request"
    part_in(folder).write_bytes(b"left by a run killed after unpacking")
    assert fetch_montgomery(folder, archive=ARCHIVE) == folder / "MontgomerySet"
    assert_whole(folder)
    (mask := folder / "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"MontgomerySet is incomplete: 2 of 3 X-rays"):
        fetch_montgomery(folder, archive=ARCHIVE)
    assert server.asked == [("/a.zip", None)] and mask.exists(), "what is there is left alone"


def test_too_little_disk_space(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(2 * len(DATA)))
    with pytest.raises(DownloadError, match=r"needs 0.00 GB of disk space, .*: make room"):
        fetch_montgomery(tmp_path, [server.add("/a.zip", send(DATA))], ARCHIVE)
    assert server.asked == []


@pytest.mark.parametrize("says_size", [True, False])
def test_broken_connection_goes_on(server, fetch, says_size):
    fetch(send(DATA, stop_after=CUT, says_size=says_size))
    assert len(server.asked) == 3 and server.asked[1][1].startswith("bytes=")


def test_next_call_resumes(server, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(montgomery, "TRIES", 1)
    message = assert_fails(tmp_path, [server.add("/a.zip", send(DATA, stop_after=CUT))])
    assert "0.1 MB are kept" in message
    kept = part_in(tmp_path).read_bytes()
    assert 0 < len(kept) <= CUT and DATA.startswith(kept)
    second = server.add("/2", redirect(server.add("/b.zip", send(DATA))))
    fetch(redirect(second))
    assert server.asked[-1] == ("/b.zip", f"bytes={len(kept)}-"), "redirects keep the range"


def test_complete_part_needs_no_request(server, fetch, tmp_path):
    part_in(tmp_path).write_bytes(DATA)
    stale = tmp_path / f".MontgomerySet.{'0' * 32}.writing" / "stale.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("of another version, left by a run that was killed")
    fetch(status(503))
    assert server.asked == []


@pytest.mark.parametrize("part", [OTHER_BYTES[:CUT], OTHER_BYTES, DATA + b"more"], ids=["begin", "bytes", "size"])
def test_bad_part_is_replaced(fetch, tmp_path, part):
    part_in(tmp_path).write_bytes(part)
    fetch(send(DATA))


NO_RANGES = {
    "ignores it": send(DATA, ranges=False),
    "ignores it, no size": send(DATA, ranges=False, says_size=False),
    "refuses it": lambda handler: (status(416) if handler.headers["Range"] else send(DATA))(handler),
    "sends another one": send(DATA, ranges_from=0),
}


@pytest.mark.parametrize("what", NO_RANGES)
def test_server_without_ranges_starts_again(server, fetch, tmp_path, monkeypatch, what):
    monkeypatch.setattr(montgomery, "TRIES", 1)
    part_in(tmp_path).write_bytes(DATA[:CUT])
    fetch(NO_RANGES[what])
    assert server.asked[0] == ("/0.zip", f"bytes={CUT}-")


LOGIN, SLOW = b"<html>Please log in</html>", "nothing, or next to nothing, for 2 s"
BAD_ANSWERS = {
    "404": (status(404), "the server answered 404 Not Found"),
    "circle": (redirect("/0.zip"), "TooManyRedirects"),
    "checksum": (send(OTHER_BYTES), "wrong SHA-256 checksum"),
    "longer": (send(DATA + b"more"), f"has {len(DATA) + 4} bytes, not {len(DATA)}"),
    "longer, no size": (send(DATA + b"more", says_size=False), "wrong SHA-256 checksum"),
    "shorter": (send(DATA[:-1]), f"has {len(DATA) - 1} bytes, not {len(DATA)}"),
    "login": (send(LOGIN), "has 26 bytes"),
    "login, no size": (send(LOGIN, says_size=False), "not a zip archive"),
    "empty": (send(b"", says_size=False), "not a zip archive"),
    "stalls": (send(DATA, stall_after=0), SLOW),
    "trickles": (send(DATA, pause_s=0.8), SLOW),
}
MARKED = [pytest.param(what, marks=[pytest.mark.slow] * (BAD_ANSWERS[what][1] == SLOW)) for what in BAD_ANSWERS]


@pytest.mark.parametrize("what", MARKED)
def test_next_address_after(server, fetch, capsys, monkeypatch, what):
    route, words = BAD_ANSWERS[what]
    monkeypatch.setattr(montgomery, "TIMEOUT_S", 2.0 if words == SLOW else 10.0)
    fetch(route, send(DATA))
    assert "/0.zip\n  " in (said := capsys.readouterr().out) and words in said
    if words != SLOW:
        assert server.asked[-1] == ("/1.zip", None), "nothing of the first answer was kept"


@pytest.mark.slow
def test_stall_in_the_middle_keeps_what_came(server, fetch, monkeypatch):
    monkeypatch.setattr(montgomery, "TIMEOUT_S", 2.0)
    fetch(send(DATA, stall_after=CUT, ranges=False), send(LOGIN, says_size=False), send(DATA))
    path, asked_range = server.asked[-1]
    assert path == "/2.zip" and CUT - montgomery.CHUNK <= int(asked_range[6:-1]) <= CUT


def test_everything_fails(server, tmp_path):
    with socket.socket() as unused:  # bound and not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/c.zip"
        addresses = [server.add("/a.zip", status(404)), server.add("/b.zip", send(OTHER_BYTES)), closed]
        message = assert_fails(tmp_path, addresses)
    for address, words in zip(addresses, ["404", "SHA-256", "ConnectionError"], strict=True):
        assert f"- {address}\n  " in message and words in message
    assert not part_in(tmp_path).exists() and "are kept" not in message


UNSAFE = ["../evil.txt", "MontgomerySet/../../evil.txt", "__MACOSX/../../evil.txt", "/tmp/evil.txt", "C:evil.txt"]
UNSAFE += ["..\\evil.txt", "MontgomerySet\\evil.txt", "\\\\host\\share\\evil.txt"]
NO_RIGHT = {name: data for name, data in FILES.items() if "right" not in name}
REFUSED = {name: (zip_of(FILES | {name: b"evil"}), "has an unsafe path") for name in UNSAFE} | {
    "null": (zip_of(FILES | {"MontgomerySet/evil_": b""}).replace(b"evil_", b"evil\0"), "has an unsafe path"),
    "link": (zip_of(FILES, link="MontgomerySet/evil.txt"), "is a link"),
    "folder": (zip_of(NO_RIGHT), "0 X-rays in its"),
    "place": (zip_of({f"elsewhere/{name}": data for name, data in FILES.items()}), "0 X-rays in its"),
    "file": (zip_of({name: FILES[name] for name in FILES if "CXR_png/MCUCXR_0000" not in name}), "2 X-rays in its"),
    "damaged": (b"PK" + bytes(50_000), "not a zip file"),
    "checksum": (DATA.replace(FILES["MontgomerySet/CXR_png/MCUCXR_0001_0.png"], bytes(30_000)), "Bad CRC-32"),
    "no archive": (b"no archive" * 10_000, "not a zip archive"),
    "bomb": (
        zip_of(FILES | {"MontgomerySet/bomb.png": bytes(2_000_000)}, compression=zipfile.ZIP_DEFLATED),
        "would unpack to more than",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_archives(server, tmp_path, monkeypatch, what):
    monkeypatch.setattr(montgomery, "MAX_UNPACKED", 1_000_000)
    data, words = REFUSED[what]
    folder = tmp_path / "in" / "here"
    assert words in assert_fails(folder, [server.add("/a.zip", send(data))], archive_of(data))
    assert list(folder.iterdir()) == []
    assert list(tmp_path.rglob("*evil*")) == [] and not Path("/tmp/evil.txt").exists()


def test_junk_is_skipped(fetch):
    junk = ("__MACOSX/MontgomerySet/._CXR_png", "__MACOSX/a", "MontgomerySet/.DS_Store", "MontgomerySet/Thumbs.db")
    data = zip_of(FILES | dict.fromkeys((*junk, "MontgomerySet/CXR_png/._MCUCXR_0001_0.png"), b"junk"))
    fetch(send(data), archive=archive_of(data))


def test_interrupted_while_unpacking(server, tmp_path, monkeypatch):
    address, extract = server.add("/a.zip", send(DATA)), zipfile.ZipFile.extract

    def interrupted(self, member, path=None):
        if "rightMask" in member.filename:
            raise KeyboardInterrupt
        return extract(self, member, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(zipfile.ZipFile, "extract", interrupted)
        fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip.part"]
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert len(server.asked) == 1, "the verified archive was still there"
    assert_whole(tmp_path)


CHILD = """
import sys
from pathlib import Path
from lungseg_utils.command.montgomery import Archive, fetch_montgomery
fetch_montgomery(Path(sys.argv[1]), [sys.argv[2]], eval(sys.argv[3]))
"""


@pytest.mark.slow
def test_killed_while_downloading(server, tmp_path):
    address = server.add("/a.zip", send(DATA, pause_s=0.02))
    command = [sys.executable, "-c", CHILD, str(tmp_path), address, repr(ARCHIVE)]
    child = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (part_in(tmp_path).exists() and part_in(tmp_path).stat().st_size > 50_000):
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert {path.name for path in tmp_path.iterdir()} == {"set.zip.part", ".set.zip.lock", ".set.zip.owner"}
    kept = part_in(tmp_path).stat().st_size
    assert kept < len(DATA)
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert server.asked == [("/a.zip", None), ("/a.zip", f"bytes={kept}-")]
    assert_whole(tmp_path)
