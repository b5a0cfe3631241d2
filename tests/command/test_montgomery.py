"""The download of the real set, against a server on this machine: no test reaches an outside address."""

import hashlib
import io
import random
import shutil
import signal
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

from lungseg_utils.command import montgomery
from lungseg_utils.command.montgomery import Archive, DownloadError, fetch_montgomery

CASES = 3
FOLDERS = ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask")
RANDOM = random.Random(0)
FILES = {
    f"MontgomerySet/{folder}/MCUCXR_000{case}_0.png": RANDOM.randbytes(30_000)
    for folder in FOLDERS
    for case in range(CASES)
} | {f"MontgomerySet/ClinicalReadings/MCUCXR_000{case}_0.txt": b"normal\n" for case in range(CASES)}
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
TERMS_AND_STEPS = (
    "outside your research group",
    "10.1109/TMI.2013.2290491",
    "10.1109/TMI.2013.2284099",
    "National Library of Medicine",
    montgomery.LISTING,
    "make course DATA=/path/to/MontgomerySet",
)
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
def impatient(monkeypatch):
    monkeypatch.setattr(montgomery, "TIMEOUT_S", 1.0)


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


@pytest.mark.parametrize("name", ["data", "my X-rays", "胸部 X 光片"])
def test_good_download(server, tmp_path, capsys, name):
    folder = tmp_path / name / "real"
    assert fetch_montgomery(folder, [server.add("/a.zip", send(DATA))], ARCHIVE) == folder / "MontgomerySet"
    assert_whole(folder)
    assert server.asked == [("/a.zip", None)]
    assert montgomery.TERMS in capsys.readouterr().out


def test_default_addresses_and_unknown_size(server, tmp_path, monkeypatch):
    address = server.add("/a.zip", send(DATA, says_size=False))
    monkeypatch.setattr(montgomery, "ADDRESSES", (address,))
    fetch_montgomery(tmp_path, archive=ARCHIVE)
    assert_whole(tmp_path)


def test_terms_are_printed_before_the_first_request(server, tmp_path, capsys):
    printed = []

    def route(handler):
        printed.append(capsys.readouterr().out)
        send(DATA)(handler)

    fetch_montgomery(tmp_path, [server.add("/a.zip", route)], ARCHIVE)
    assert montgomery.TERMS in printed[0]


def test_already_there(server, tmp_path):
    address = server.add("/a.zip", send(DATA))
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    part_in(tmp_path).write_bytes(b"left by a run killed after unpacking")
    server.asked.clear()
    assert fetch_montgomery(tmp_path, [address], ARCHIVE) == tmp_path / "MontgomerySet"
    assert server.asked == []
    assert_whole(tmp_path)


def test_incomplete_folder_is_left_alone(server, tmp_path):
    address = server.add("/a.zip", send(DATA))
    data = fetch_montgomery(tmp_path, [address], ARCHIVE)
    (data / "ManualMask" / "leftMask" / "MCUCXR_0001_0.png").write_bytes(b"")
    server.asked.clear()
    with pytest.raises(DownloadError, match=r"MontgomerySet is incomplete: 2 of 3 X-rays"):
        fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert server.asked == [] and len(list(data.rglob("*.png"))) == 9


def test_too_little_disk_space(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(2 * len(DATA)))
    with pytest.raises(DownloadError, match=r"needs 0.00 GB of disk space, .*: make room"):
        fetch_montgomery(tmp_path, [server.add("/a.zip", send(DATA))], ARCHIVE)
    assert server.asked == []


@pytest.mark.parametrize("says_size", [True, False])
def test_broken_connection_goes_on(server, tmp_path, says_size):
    address = server.add("/a.zip", send(DATA, stop_after=CUT, says_size=says_size))
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert_whole(tmp_path)
    assert len(server.asked) == 3 and server.asked[1][1].startswith("bytes=")


def test_next_call_resumes(server, tmp_path, monkeypatch):
    monkeypatch.setattr(montgomery, "TRIES", 1)
    message = assert_fails(tmp_path, [server.add("/a.zip", send(DATA, stop_after=CUT))])
    assert "0.1 MB are kept" in message
    kept = part_in(tmp_path).read_bytes()
    assert 0 < len(kept) <= CUT and DATA.startswith(kept)
    fetch_montgomery(tmp_path, [server.add("/b.zip", send(DATA))], ARCHIVE)
    assert server.asked[-1] == ("/b.zip", f"bytes={len(kept)}-")
    assert_whole(tmp_path)


def test_complete_part_needs_no_request(server, tmp_path):
    part_in(tmp_path).write_bytes(DATA)
    fetch_montgomery(tmp_path, [server.add("/a.zip", status(503))], ARCHIVE)
    assert server.asked == []
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    "part",
    [OTHER_BYTES[:CUT], OTHER_BYTES, DATA + b"more"],
    ids=["begins otherwise", "wrong bytes", "too large"],
)
def test_bad_part_is_replaced(server, tmp_path, part):
    part_in(tmp_path).write_bytes(part)
    fetch_montgomery(tmp_path, [server.add("/a.zip", send(DATA))], ARCHIVE)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    "route",
    [
        send(DATA, ranges=False),
        send(DATA, ranges=False, says_size=False),
        lambda handler: (status(416) if handler.headers["Range"] else send(DATA))(handler),
        send(DATA, ranges_from=0),
    ],
    ids=["ignores it", "ignores it, no size", "refuses it", "sends another one"],
)
def test_server_without_ranges_starts_again(server, tmp_path, monkeypatch, route):
    monkeypatch.setattr(montgomery, "TRIES", 1)
    part_in(tmp_path).write_bytes(DATA[:CUT])
    fetch_montgomery(tmp_path, [server.add("/a.zip", route)], ARCHIVE)
    assert server.asked[0] == ("/a.zip", f"bytes={CUT}-")
    assert_whole(tmp_path)


def test_redirects_keep_the_range(server, tmp_path):
    part_in(tmp_path).write_bytes(DATA[:CUT])
    second = server.add("/2", redirect(server.add("/a.zip", send(DATA))))
    fetch_montgomery(tmp_path, [server.add("/1", redirect(second))], ARCHIVE)
    assert server.asked[-1] == ("/a.zip", f"bytes={CUT}-")
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (status(404), "the server answered 404 Not Found"),
        (redirect("/circle.zip"), "TooManyRedirects"),
        (send(OTHER_BYTES), "wrong SHA-256 checksum"),
        (send(DATA + b"more"), f"has {len(DATA) + 4} bytes, not {len(DATA)}"),
        (send(DATA + b"more", says_size=False), "wrong SHA-256 checksum"),
        (send(DATA[:-1]), f"has {len(DATA) - 1} bytes, not {len(DATA)}"),
        (send(b"<html>Please log in</html>", says_size=False), "not a zip archive"),
        (send(b"<html>Please log in</html>"), "has 26 bytes"),
        (send(b"", says_size=False), "not a zip archive"),
    ],
    ids="404 circle checksum longer longer2 shorter login login2 empty".split(),
)
def test_next_address_after(server, tmp_path, capsys, route, words):
    addresses = [server.add("/circle.zip", route), server.add("/good.zip", send(DATA))]
    fetch_montgomery(tmp_path, addresses, ARCHIVE)
    assert_whole(tmp_path)
    assert f"{addresses[0]}\n  " in (said := capsys.readouterr().out) and words in said
    assert server.asked[-1] == ("/good.zip", None)  # nothing of the first answer was kept


@pytest.mark.slow
@pytest.mark.parametrize(
    "route",
    [send(DATA, stall_after=0), send(DATA, pause_s=0.5)],
    ids=["stalls", "trickles"],
)
def test_slow_server_is_given_up(server, tmp_path, capsys, impatient, route):
    addresses = [server.add("/slow.zip", route), server.add("/good.zip", send(DATA))]
    fetch_montgomery(tmp_path, addresses, ARCHIVE)
    assert_whole(tmp_path)
    assert "nothing, or next to nothing, for 1 s" in capsys.readouterr().out


@pytest.mark.slow
def test_stall_in_the_middle_keeps_what_came(server, tmp_path, impatient):
    addresses = [
        server.add("/a.zip", send(DATA, stall_after=CUT, ranges=False)),
        server.add("/login", send(b"<html>Please log in</html>", says_size=False)),
        server.add("/b.zip", send(DATA)),
    ]
    fetch_montgomery(tmp_path, addresses, ARCHIVE)
    path, asked_range = server.asked[-1]
    assert path == "/b.zip" and CUT - montgomery.CHUNK <= int(asked_range[6:-1]) <= CUT
    assert_whole(tmp_path)


def test_everything_fails(server, tmp_path):
    with socket.socket() as unused:  # bound and not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/c.zip"
        addresses = [server.add("/a.zip", status(404)), server.add("/b.zip", send(OTHER_BYTES)), closed]
        message = assert_fails(tmp_path, addresses)
    for address, words in zip(addresses, ["404", "SHA-256", "ConnectionError"], strict=True):
        assert f"- {address}\n  " in message and words in message
    assert not part_in(tmp_path).exists() and "are kept" not in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zip_of(FILES | {"../evil.txt": b"evil"}), "'../evil.txt' has an unsafe path"),
        (zip_of(FILES | {"MontgomerySet/../../evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"__MACOSX/../../evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"/tmp/evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"C:evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"..\\evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"MontgomerySet\\evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"\\\\host\\share\\evil.txt": b"evil"}), "has an unsafe path"),
        (zip_of(FILES | {"MontgomerySet/evil_": b""}).replace(b"evil_", b"evil\0"), "has an unsafe path"),
        (zip_of(FILES, link="MontgomerySet/evil.txt"), "is a link"),
        (zip_of({name: data for name, data in FILES.items() if "right" not in name}), "0 X-rays in its"),
        (zip_of({f"elsewhere/{name}": data for name, data in FILES.items()}), "0 X-rays in its"),
        (zip_of(dict(list(FILES.items())[1:])), "2 X-rays in its MontgomerySet"),
        (b"PK" + bytes(50_000), "not a zip file"),
        (DATA.replace(FILES["MontgomerySet/CXR_png/MCUCXR_0001_0.png"], bytes(30_000)), "Bad CRC-32"),
    ],
    ids="up up2 up3 absolute drive back back2 share null link folder place file no-zip crc".split(),
)
def test_refused_archives(server, tmp_path, data, words):
    folder = tmp_path / "in" / "here"
    message = assert_fails(folder, [server.add("/a.zip", send(data))], archive_of(data))
    assert words in message
    assert list(folder.iterdir()) == []
    assert list(tmp_path.rglob("*evil*")) == [] and not Path("/tmp/evil.txt").exists()


def test_not_an_archive_at_all(server, tmp_path):
    data = b"no archive" * 10_000
    message = assert_fails(tmp_path, [server.add("/a.zip", send(data))], archive_of(data))
    assert "not a zip archive" in message


def test_bomb_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(montgomery, "MAX_UNPACKED", 1_000_000)
    data = zip_of(FILES | {"MontgomerySet/bomb.png": bytes(2_000_000)}, compression=zipfile.ZIP_DEFLATED)
    message = assert_fails(tmp_path, [server.add("/a.zip", send(data))], archive_of(data))
    assert "would unpack to more than" in message


def test_junk_is_skipped(server, tmp_path):
    junk = ("__MACOSX/MontgomerySet/._CXR_png", "MontgomerySet/.DS_Store", "MontgomerySet/CXR_png/Thumbs.db")
    data = zip_of(FILES | dict.fromkeys((*junk, "MontgomerySet/CXR_png/._MCUCXR_0001_0.png"), b"junk"))
    fetch_montgomery(tmp_path, [server.add("/a.zip", send(data))], archive_of(data))
    assert_whole(tmp_path)


def test_interrupted_while_unpacking(server, tmp_path, monkeypatch):
    address = server.add("/a.zip", send(DATA))

    def interrupted(self, member, path=None):
        if "rightMask" in member.filename:
            raise KeyboardInterrupt
        return extract(self, member, path)

    extract = zipfile.ZipFile.extract
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip.part"]
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert len(server.asked) == 1  # the verified archive was still there
    assert_whole(tmp_path)


CHILD = """
import os, signal, sys, zipfile
from pathlib import Path
from lungseg_utils.command import montgomery

folder, address, size, sha256, die = sys.argv[1:]
extract = zipfile.ZipFile.extract
def die_at_a_mask(self, member, path=None):
    if "rightMask" in member.filename:
        os.kill(os.getpid(), signal.SIGKILL)
    return extract(self, member, path)
if die == "unpacking":
    zipfile.ZipFile.extract = die_at_a_mask
archive = montgomery.Archive("set.zip", int(size), sha256, "MontgomerySet", 3)
montgomery.fetch_montgomery(Path(folder), [address], archive)
"""


def start_child(folder: Path, address: str, die: str) -> subprocess.Popen:
    arguments = [str(folder), address, str(ARCHIVE.size), ARCHIVE.sha256, die]
    root = Path(montgomery.__file__).parents[1]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=root, stderr=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_while_downloading(server, tmp_path):
    address = server.add("/a.zip", send(DATA, pause_s=0.02))
    child = start_child(tmp_path, address, die="downloading")
    until = time.monotonic() + 10
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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_while_unpacking(server, tmp_path):
    address = server.add("/a.zip", send(DATA))
    assert start_child(tmp_path, address, die="unpacking").wait(timeout=10) == -signal.SIGKILL
    [left] = tmp_path.glob(".MontgomerySet.*.writing")
    (left / "stale.txt").write_text("of another version")
    fetch_montgomery(tmp_path, [address], ARCHIVE)
    assert {path.name for path in tmp_path.iterdir()} == {"MontgomerySet"}
    assert len(server.asked) == 1
    assert_whole(tmp_path)
