"""Raw files: from the origin, else from a mirror folder, verified by checksum."""

import filecmp
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UserError
from ..files import check_regular, read_regular, replacing
from . import archives
from .registry import MIRROR_VARIABLE

_CHUNK = 1 << 16
_LONGEST_PAUSE = 60  # seconds between two tries
_SLOWEST = 1000  # bytes a second; after `timeout` seconds an origin that sends fewer counts as away


class Unavailable(Exception):
    """A source does not have the file; the message says why."""


def fetch(
    output: str | Path,
    file: str,
    url: str | None,
    sha256: Sequence[str] | None,
    mirror: str | None = None,
    retries: int = 2,
    timeout: float = 20,
) -> str:
    """Write the raw `file` of a data set to `output`, and return where it came from: "origin" or "mirror".

    The origin `url` (the file itself, or a zip archive that contains it) is asked first, then the folder `mirror`, where
    `file` may lie at any depth. `sha256` lists the accepted checksums; None accepts any, for files whose content is
    checked after reading.

    Errors: UserError where neither has the file, or what they have is not the expected file.
    """

    def wrong(content: bytes) -> str:
        found = hashlib.sha256(content).hexdigest()
        return "" if sha256 is None or found in sha256 else f"SHA-256 {found[:12]}..., not {sha256[0][:12]}..."

    try:
        source, content = _ask(url, file, wrong, mirror, retries, timeout)
    except (Unavailable, Damaged) as reason:
        raise UserError(
            f"{file} is not available: {reason}. Put the original file into a folder and set {MIRROR_VARIABLE} to it."
        ) from None
    with replacing(output) as beside:
        beside.write_bytes(content)
    return source


def fetch_own(
    output: str | Path, path: str | None, file: str, url: str | None, retries: int = 2, timeout: float = 20
) -> str:
    """Write a table of the user's to `output`, from its `path` or its `url`, and return which: as it is, since no checksum
    is known, and never from the mirror, which may have another file of that name.

    Errors: UserError where it is not there.
    """
    try:
        content = read_regular(path) if path else _one(download(url, file, retries, timeout))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path} is not a file: correct the path of the table.") from None
    except Unavailable as reason:
        raise UserError(
            f"{file} is not available: {reason}. Correct its address, or download it and give its path instead."
        ) from None
    with replacing(output) as beside:
        beside.write_bytes(content)
    return path or url


def original(
    url: str, file: str, md5: str, mirror: str | None = None, retries: int = 2, timeout: float = 20
) -> tuple[str, bytes]:
    """Where an official archive came from (its URL, or "the mirror"), and its bytes.

    Errors: Unavailable where neither has it; UserError where no copy is the official file.
    """

    def wrong(content: bytes) -> str:
        return "" if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5 else "wrong MD5"

    try:
        source, content = _ask(url, file, wrong, mirror, retries, timeout)
    except Damaged as reason:
        raise UserError(f"{file} is not available: {reason}. Fetch the original again.") from None
    return url if source == "origin" else "the mirror", content


class Damaged(Exception):
    """No source has the file, and at least one has another file in its place; the message says why."""


def _ask(
    url: str | None, file: str, wrong: Callable[[bytes], str], mirror: str | None, retries: int, timeout: float
) -> tuple[str, bytes]:
    """The first source, "origin" or "mirror", whose file is right, and that file; `wrong` says what is not right of one."""
    reasons, kind = [], Unavailable
    for source, read in (
        ("origin", lambda: download(url, file, retries, timeout)),
        ("mirror", lambda: find(mirror, file)),
    ):
        try:
            copies = read()
            right = {place: content for place, content in copies.items() if not wrong(content)}
            if right:
                return source, _one(right)
        except Unavailable as reason:
            reasons.append(str(reason))
            continue
        problem = wrong(next(iter(copies.values())))
        reasons.append(f"the {source}'s copy is another file or damaged ({problem})")
        kind = Damaged
    raise kind("; ".join(reasons))


def _one(copies: dict[str, bytes]) -> bytes:
    """The content of all `copies`, which are given by their places; Unavailable, with two places, where they differ."""
    (first, content), *others = copies.items()
    for place, other in others:
        if other != content:
            raise Unavailable(
                f"{first} and {place} are two different files of one name, and no checksum says which to take"
            )
    return content


def download(url: str | None, file: str, retries: int, timeout: float) -> dict[str, bytes]:
    """The file at `url`, or the members `file` of the zip archive there by their places; Unavailable where that fails."""
    if url is None:
        raise Unavailable("it has no address to download it from")
    for attempt in range(retries + 1):
        try:
            content = _received(url, timeout)
            break
        except urllib.error.HTTPError as error:
            raise Unavailable(f"{url} answers {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            again = isinstance(reason, TimeoutError | ConnectionResetError | http.client.IncompleteRead)
            if attempt < retries and again:
                time.sleep(min(2**attempt, _LONGEST_PAUSE))
                continue
            if isinstance(reason, http.client.IncompleteRead):
                raise Unavailable(f"{url} ends too early") from None
            raise Unavailable(f"{url} does not answer ({' '.join(str(reason).split())})") from None
    try:
        members = archives.in_zip(content, file)
    except archives.Refused as error:
        raise Unavailable(str(error)) from None
    if not members:
        raise Unavailable(f"the archive does not contain {file}")
    return {f"{url} {place}".strip(): found for place, found in members.items()}


def _received(url: str, timeout: float) -> bytes:
    """What `url` answers, of at most `archives.LARGEST` bytes. Errors: those of urllib, and Unavailable where it does not end."""
    if url.startswith("file:"):
        check_regular(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
    start, parts, size = time.monotonic(), [], 0
    with urllib.request.urlopen(url, timeout=timeout) as response:
        while part := response.read1(_CHUNK) if hasattr(response, "read1") else response.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > archives.LARGEST:
                raise Unavailable(f"{url} is larger than {archives.LARGEST:,} bytes")
            seconds = time.monotonic() - start
            if seconds > timeout and size < _SLOWEST * seconds:
                raise Unavailable(f"{url} sends less than {_SLOWEST:,} bytes a second")
        # read1 ends in silence where a connection does
        if getattr(response, "length", None):
            raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)


def find(mirror: str | None, file: str) -> dict[str, bytes]:
    """The contents of all files of the name `file`, at any depth below the folder `mirror`, by their paths; Unavailable where
    there is none that can be read."""
    if not mirror:
        raise Unavailable(f"no mirror is set ({MIRROR_VARIABLE}, or datasets.mirror in the configuration)")
    if not Path(mirror).is_dir():
        raise Unavailable(f"the mirror {mirror} is not a folder")
    found = places(mirror, file)
    if not found:
        others = [path for path in _named(mirror, file) if path not in found]
        but = f" but as {others[0]}, which is a link to nowhere, a folder, a pipe or a device" if others else ""
        raise Unavailable(f"the mirror {mirror} does not contain {file}{but}")
    if large := [path for path in found if path.stat().st_size > archives.LARGEST]:
        raise Unavailable(f"{large[0]} is larger than {archives.LARGEST:,} bytes")
    return {str(path): read_regular(path) for path in found}


def places(mirror: str | None, file: str) -> list[Path]:
    """The files of the name `file`, which may have a folder in front, at any depth below `mirror`, in the order of their paths.
    What is no file, such as a link to nowhere or a pipe, does not count."""
    return [path for path in _named(mirror, file) if path.is_file()]


def _named(mirror: str | None, file: str) -> list[Path]:
    """All that has this name."""
    if Path(file).is_absolute():
        return []
    parents = (parent for parent, _, _ in os.walk(mirror or os.devnull))
    return sorted(path for path in (Path(parent, file) for parent in parents) if os.path.lexists(path))


def folder_with(mirror: str | None, file: str) -> Path | None:
    """The folder at or below `mirror` that contains `file`, which may have a folder in front; None where there is none.

    Errors: UserError, with both paths, where two different files have that name.
    """
    found = places(mirror, file)
    for other in found[1:]:
        if not filecmp.cmp(found[0], other, shallow=False):
            raise UserError(f"{found[0]} and {other} are two different files of one name: remove one of them.")
    return found[0].parents[len(Path(file).parts) - 1] if found else None


def export_diabetes(output: str | Path) -> str:
    """Write the diabetes table that scikit-learn ships (Efron et al. 2004), in its original units, as CSV."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    with replacing(output) as beside:
        frame.to_csv(beside, index=False)
    return "scikit-learn"
