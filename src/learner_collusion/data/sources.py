"""Raw files: from the origin, else from a mirror folder, verified by checksum."""

import hashlib
import io
import os
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UserError
from ..files import replacing
from .registry import MIRROR_VARIABLE


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
        content = Path(path).read_bytes() if path else download(url, file, retries, timeout)
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
            content = read()
        except Unavailable as reason:
            reasons.append(str(reason))
            continue
        if not (problem := wrong(content)):
            return source, content
        reasons.append(f"the {source}'s copy is another file or damaged ({problem})")
        kind = Damaged
    raise kind("; ".join(reasons))


def download(url: str | None, file: str, retries: int, timeout: float) -> bytes:
    """The file at `url`, or the member `file` of the zip archive there; Unavailable where that fails."""
    if url is None:
        raise Unavailable("it has no address to download it from")
    for attempt in range(retries + 1):
        try:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                return _unpack(response.read(), file)
        except urllib.error.HTTPError as error:
            raise Unavailable(f"{url} answers {error.code}") from None
        except OSError as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if attempt < retries and isinstance(reason, TimeoutError | ConnectionResetError):
                time.sleep(2**attempt)
                continue
            raise Unavailable(f"{url} does not answer ({reason})") from None
    raise AssertionError("unreachable")


def _unpack(content: bytes, file: str) -> bytes:
    """The member `file` of a zip archive, or of an archive inside it; other content as it is."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                if member.rsplit("/", 1)[-1] == file:
                    return archive.read(member)
                if member.endswith(".zip"):
                    inner = archive.read(member)
                    try:
                        return _unpack(inner, file)
                    except Unavailable:
                        continue
    except zipfile.BadZipFile as error:
        raise Unavailable(f"the archive is damaged ({error})") from None
    raise Unavailable(f"the archive does not contain {file}")


def find(mirror: str | None, file: str) -> bytes:
    """The bytes of `file`, at any depth below the folder `mirror`; Unavailable where it is not there."""
    if not mirror:
        raise Unavailable(f"no mirror is set ({MIRROR_VARIABLE}, or datasets.mirror in the configuration)")
    if not Path(mirror).is_dir():
        raise Unavailable(f"the mirror {mirror} is not a folder")
    folder = folder_with(mirror, file)
    if folder is None:
        raise Unavailable(f"the mirror {mirror} does not contain {file}")
    return (folder / file).read_bytes()


def folder_with(mirror: str | None, file: str) -> Path | None:
    """The folder at or below `mirror` that contains `file`, which may have a folder in front; None where there is none."""
    for parent, _, _ in os.walk(mirror or os.devnull):
        if Path(parent, file).is_file():
            return Path(parent)
    return None


def export_diabetes(output: str | Path) -> str:
    """Write the diabetes table that scikit-learn ships (Efron et al. 2004), in its original units, as CSV."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    with replacing(output) as beside:
        frame.to_csv(beside, index=False)
    return "scikit-learn"
