"""Fetch the real data set, the Montgomery County chest X-rays, when somebody asks for it.

One archive of 617 MB is downloaded, checked and unpacked. An address can die, a server can stall, a laptop
can be closed half-way. So there are several addresses, a download goes on where it stopped, and the folder
gets its final name only when all of it is there.

pooch, which downloads data sets elsewhere, does not resume: it deletes a download that broke off. So requests downloads
(HTTP ranges).
"""

import hashlib
import itertools
import shutil
import stat
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import requests
from tqdm import tqdm

from lungseg_utils.files import lock, remove_drafts, write_whole


@dataclass(frozen=True)
class Archive:
    """What the file has to be: name, size in bytes, checksum, the folder in it and that folder's X-rays."""

    name: str
    size: int
    sha256: str
    folder: str
    cases: int


MONTGOMERY = Archive(
    name="NLM-MontgomeryCXRSet.zip",
    size=616_853_875,
    # published by a third party, the Python package torch-em: the Library publishes none
    sha256="54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424",
    folder="MontgomerySet",
    cases=138,
)
ADDRESSES = (
    "https://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip",
    # the Internet Archive's copy nearest to 2020; "id_" asks for the file's own bytes
    "https://web.archive.org/web/2020id_/https://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip",
)
LISTING = (  # file by file, so only for the steps by hand
    "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
    "Montgomery-County-CXR-Set/MontgomerySet/index.html"
)

TIMEOUT_S = 30.0  # longest wait for a connection, for the next bytes, and for a whole chunk
PAUSE_S = 1.0  # before connecting again to a server that broke off
TRIES = 20  # connections to one address, as long as each brings new bytes
CHUNK = 16 * 1024  # bytes; with TIMEOUT_S it sets the slowest server worth waiting for: 0.5 kB per second
SPACE_FACTOR = 2.1  # archive and unpacked files side by side: PNG files hardly shrink in an archive
MAX_UNPACKED = 2 * 1024**3  # bytes; an archive that holds more is not the one expected
JUNK = {".ds_store", "thumbs.db"}  # made by file managers, like __MACOSX and ._*

TERMS = """\
Terms of the Montgomery County chest X-rays (the ReadMe in the set has the full text):
- Do not share the data set outside your research group or organisation; send others to the Library.
- Publications name the source, the National Library of Medicine, National Institutes of Health, Bethesda, MD,
  USA, and cite two articles:
  Candemir et al., IEEE Trans Med Imaging 33(2):577-590, 2014, doi 10.1109/TMI.2013.2290491
  Jaeger et al., IEEE Trans Med Imaging 33(2):233-245, 2014, doi 10.1109/TMI.2013.2284099"""

MANUAL_STEPS = """\
To get the set by hand:
1. Open {listing}
   and save its folders CXR_png, ManualMask and ClinicalReadings. One command that does it:
   wget --recursive --no-parent --no-host-directories --cut-dirs=3 --reject "index.html*" {listing}
   If you have the file {archive.name}, unpack that instead.
2. Arrange the files like this, {archive.cases} in each folder:
   {archive.folder}/CXR_png/*.png
   {archive.folder}/ManualMask/leftMask/*.png
   {archive.folder}/ManualMask/rightMask/*.png
   {archive.folder}/ClinicalReadings/*.txt
3. Move {archive.folder} to {target}
   or leave it anywhere and tell the course where: make course DATA=/path/to/{archive.folder}"""


class DownloadError(RuntimeError):
    """The real data set could not be had; the message says why and what to do."""


def fetch_montgomery(
    folder: Path,
    addresses: Sequence[str] | None = None,
    archive: Archive = MONTGOMERY,
) -> Path:
    """Download and unpack the Montgomery County chest X-rays, unless they are there already.

    What an interrupted download brought stays in ``folder``, as ``NLM-MontgomeryCXRSet.zip.part``; the next
    call goes on from there.

    Args:
        folder: where to put the set; made if missing.
        addresses: where to ask for the archive, first to last. Default: ``ADDRESSES``.
        archive: what the file has to be.

    Returns:
        The set's folder, ``folder/MontgomerySet``.

    Raises:
        DownloadError: no address had the archive, its contents were refused, the disk is too full, or the
            set's folder is there but incomplete. The set's folder was neither made nor changed.
    """
    folder = Path(folder)
    with lock(folder / archive.name, f"Downloading {archive.name} to {folder}"):
        remove_drafts(folder / archive.folder)
        return _fetch(folder, ADDRESSES if addresses is None else addresses, archive)


def _fetch(folder: Path, addresses: Sequence[str], archive: Archive) -> Path:
    target, part = folder / archive.folder, folder / f"{archive.name}.part"
    if target.exists():
        complete = _complete_cases(target)
        if complete < archive.cases:
            raise DownloadError(
                f"{target} is incomplete: {complete} of {archive.cases} X-rays have an image and both masks. "
                "Add what is missing, or move the folder away and try again to download the whole set."
            )
        part.unlink(missing_ok=True)  # left by a run that was killed right after unpacking
        return target

    _make_room(folder, archive.size * SPACE_FACTOR - _size(part))
    print(f"{TERMS}\n\nDownloading {archive.name} ({archive.size / 1e6:,.0f} MB) to {folder}", flush=True)
    try:
        _download(addresses, part, archive)
        _unpack(part, target, archive)
    except DownloadError as error:
        steps = MANUAL_STEPS.format(listing=LISTING, archive=archive, target=target)
        raise DownloadError(f"{error}\n\n{steps}\n\n{TERMS}") from None
    part.unlink()
    return target


def _make_room(folder: Path, needed: float) -> None:
    """Make a folder; a DownloadError unless so many bytes are free there."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"The download needs {needed / 1e9:.2f} GB of disk space, and {folder} has {free / 1e9:.2f} GB: "
            "make room, or choose a folder on another disk."
        )


def _complete_cases(data: Path) -> int:
    """Count the X-rays that have an image and both masks."""
    folders = (data / "CXR_png", data / "ManualMask" / "leftMask", data / "ManualMask" / "rightMask")
    names = [
        {file.name for file in place.glob("*.png") if file.name[0] != "." and file.stat().st_size > 0}
        for place in folders
    ]
    return len(set.intersection(*names))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _download(addresses: Sequence[str], part: Path, archive: Archive) -> None:
    """Fill ``part`` with the verified archive from the first address that has it."""
    failures = []
    for address in addresses:
        try:
            return _download_from(address, part, archive)
        except (requests.RequestException, DownloadError) as error:
            failures.append(f"- {address}\n  {_in_words(error)}")
            print(failures[-1], flush=True)
    if _size(part):
        failures.append(f"{_size(part) / 1e6:,.1f} MB are kept: try again later to go on from there.")
    raise DownloadError("\n".join([f"{archive.name} could not be downloaded.", *failures]))


def _in_words(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server sent nothing, or next to nothing, for {TIMEOUT_S:g} s"
    return str(error) if isinstance(error, DownloadError) else f"{type(error).__name__}: {error}"


def _download_from(address: str, part: Path, archive: Archive) -> None:
    """Fill ``part`` with the verified archive from one address, in as many connections as it takes."""
    for attempt in range(TRIES):
        time.sleep(PAUSE_S if attempt else 0)
        before = _size(part)
        try:
            if before < archive.size:
                _receive(address, part, archive, before)
        except requests.RequestException as error:
            failure: Exception = error
            if _size(part) <= before:
                break
            continue
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == archive.sha256:
                return
        part.unlink()
        failure = DownloadError("the file has a wrong SHA-256 checksum: deleted")
        if before == 0:
            break
        # The wrong bytes may be the older ones, from another address: once more from the start.
    raise failure


def _receive(address: str, part: Path, archive: Archive, have: int) -> None:
    """Write what one connection brings into ``part``, from byte ``have`` on.

    The checksum will tell whether older and newer bytes belong together, so no ETag has to be remembered. An
    answer that cannot be the archive (an error page, another file) is refused before it replaces older bytes.
    """
    # identity: sizes and ranges count the bytes of the file, not of a compressed transfer
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        content_range = response.headers.get("Content-Range", "")
        resumed = response.status_code == 206 and content_range.startswith(f"bytes {have}-")
        if have and not resumed and response.status_code in (206, 416):
            return _receive(address, part, archive, have=0)  # the server cannot give that range
        response.raise_for_status()
        have = have if resumed else 0  # a server that ignores Range sends the whole file
        size = content_range.rpartition("/")[2] if resumed else response.headers.get("Content-Length", "*")
        if size not in ("*", str(archive.size)):
            raise DownloadError(f"the file there has {size} bytes, not {archive.size}")
        waiting_since = time.monotonic()
        chunks = response.iter_content(CHUNK)
        first = next(chunks, b"")
        if have == 0 and not first.startswith(b"PK"):
            raise DownloadError("what the server sent is not a zip archive")
        bar = tqdm(total=archive.size, initial=have, unit="B", unit_scale=True, desc="downloading")
        with bar, part.open("ab" if have else "wb") as file:
            for chunk in itertools.chain([first], chunks):
                if time.monotonic() - waiting_since > TIMEOUT_S:
                    raise requests.Timeout("bytes trickled in, which resets the socket's own time-out")
                file.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
                if have > archive.size:
                    break  # another file, as the checksum will say
                waiting_since = time.monotonic()
    if have < archive.size:
        raise requests.ConnectionError(f"the server stopped after {have} of {archive.size} bytes")


def _unpack(part: Path, target: Path, archive: Archive) -> None:
    """Unpack the archive's folder to ``target``, which is whole or absent."""
    try:
        with zipfile.ZipFile(part) as file, write_whole(target) as draft:
            members = file.infolist()
            for member in members:  # all of them, before the first is written
                _check_member(member)
            if sum(member.file_size for member in members) > MAX_UNPACKED:
                raise DownloadError(f"it would unpack to more than {MAX_UNPACKED / 1e9:.1f} GB")
            for member in tqdm(members, desc="unpacking", unit="file"):
                top, _, inside = member.filename.partition("/")
                if top == archive.folder and inside and not _is_junk(inside):
                    member.filename = inside
                    file.extract(member, draft)
            complete = _complete_cases(draft)
            if complete != archive.cases:
                raise DownloadError(
                    f"{complete} X-rays in its {archive.folder} have an image and both masks, not {archive.cases}"
                )
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: encrypted, or refused above
        part.unlink()  # of no use; after any other error it stays and need not be downloaded again
        raise DownloadError(f"{archive.name} is refused and deleted: {error}.") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    """Refuse what would land outside the folder, and what is neither a file nor a folder."""
    name = member.orig_filename  # as stored: zipfile turns backslashes into slashes on Windows
    path = PureWindowsPath(name)  # knows slashes, backslashes, drives and network shares
    if "\\" in name or "\0" in name or path.drive or path.root or ".." in path.parts:
        raise DownloadError(f"its member {name!r} has an unsafe path")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DownloadError(f"its member {name!r} is a link or a device, not a file")


def _is_junk(name: str) -> bool:
    parts = name.rstrip("/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1].lower() in JUNK
