"""Archives from elsewhere, unpacked in memory and within bounds. No member is written to the disk under its own name, so none that
is absolute, holds `..` or is a link leads anywhere."""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

# Bytes of a download, and of all that is unpacked of one archive; the largest raw file of the paper has 182 MB.
LARGEST = 1 << 30
MOST_MEMBERS = 10_000
DEEPEST = 3  # archives within archives


class Refused(Exception):
    """An archive is damaged, or beyond the bounds; the message says which."""


def in_zip(content: bytes, file: str) -> dict[str, bytes]:
    """Each member of a zip archive with the name `file`, in any folder, and those in zip archives within it, by their places.
    Content that is no zip archive is the file itself, at the place "".

    Errors: Refused where the archive is damaged, or unpacks beyond LARGEST, MOST_MEMBERS or DEEPEST.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {"": content}
    try:
        return dict(_found(content, file, "", 1, [LARGEST]))
    # zipfile raises RuntimeError for a password, NotImplementedError for a method that it does not know
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise Refused(f"the archive is damaged ({error})") from None


def _found(content: bytes, file: str, above: str, depth: int, left: list[int]) -> Iterator[tuple[str, bytes]]:
    if depth > DEEPEST:
        raise Refused(f"the archive holds archives more than {DEEPEST} deep")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise Refused(f"the archive holds {len(members):,} files, more than {MOST_MEMBERS:,}")
        for member in members:
            name = member.filename.rsplit("/", 1)[-1]
            # the name of a link is no file of that name
            if member.is_dir() or stat.S_ISLNK(member.external_attr >> 16):
                continue
            if name == file:
                yield above + member.filename, _member(archive, member, left)
            elif name.endswith(".zip"):
                inner = _member(archive, member, left)
                if zipfile.is_zipfile(io.BytesIO(inner)):
                    yield from _found(inner, file, f"{above}{member.filename}: ", depth + 1, left)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: list[int]) -> bytes:
    """The bytes of a member; `left` are those that may still be unpacked. It never reads more than the member says it has."""
    left[0] -= member.file_size
    if left[0] < 0:
        raise Refused(f"the archive unpacks to more than {LARGEST:,} bytes")
    return archive.read(member)


def gunzipped(content: bytes) -> bytes:
    """The content without gzip, of all its parts. Errors: Refused where it is damaged, or has more than LARGEST bytes."""
    parts, left = [], LARGEST
    while content.startswith(b"\x1f\x8b"):
        unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(unpacking.decompress(content, left + 1))
        except zlib.error as error:
            raise Refused(f"damaged ({error})") from None
        left -= len(parts[-1])
        if left < 0:
            raise Refused(f"too large: it unpacks to more than {LARGEST:,} bytes")
        if not unpacking.eof:
            raise Refused("damaged (it ends too early)")
        content = unpacking.unused_data
    return b"".join(parts)


def in_tar(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The plain files of a tar archive, packed or not: their names without folders, and their bytes. Links and devices are no files.

    Errors: Refused where the archive is damaged, or unpacks beyond LARGEST or MOST_MEMBERS.
    """
    left = LARGEST
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for count, member in enumerate(tar, 1):
                # a sparse file claims what it does not hold; a link or a folder may claim anything
                left -= member.size if member.isreg() else 0
                if left < 0 or count > MOST_MEMBERS or member.issparse():
                    raise Refused(f"it unpacks to more than {LARGEST:,} bytes or {MOST_MEMBERS:,} files")
                if member.isreg():
                    yield member.name.rsplit("/", 1)[-1], tar.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise Refused(str(error)) from None
