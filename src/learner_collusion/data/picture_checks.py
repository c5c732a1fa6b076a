"""Which pictures can be read, and what is unusual about them: the headers of all, and the pixels of some.

The headers of ImageNet take minutes, its pixels hours. So a picture is decoded only where its header or its end is unusual, or
where it is among those drawn at random.
"""

import io
import os
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from ..seeds import generator
from .picture_bytes import FORMATS, Reader, rgb
from .picture_files import SPLITS, Found

SAMPLE = 2000  # random pictures that are decoded, whatever their headers say
_HEADER = 1 << 16
_START = 4096  # bytes that a digest is of
_TINY = 8  # pixels
_EXTENSIONS = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",), "BMP": (".bmp",)}
_EXTENSIONS |= {"TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm")}
_ORIENTATION = 0x0112  # in EXIF
_CHUNK = 256
NOTES = {
    "grey": "grey",
    "cmyk": "CMYK",
    "palette": "with a palette",
    "deep": "of 16 bits",
    "rotated": "turned by their EXIF data, which are not followed",
    "renamed": "of another format than their names say",
    "tiny": f"smaller than {_TINY} pixels",
}


class Seen(NamedTuple):
    """What one picture is: its size in pixels, a digest of its size and first bytes, NOTES; `wrong` where it cannot be read."""

    width: int
    height: int
    digest: bytes
    notes: tuple[str, ...]
    wrong: str


@dataclass(frozen=True)
class Checked:
    """`seen` in the order of the pictures; `wrong`: a line for each that cannot be read."""

    seen: list[Seen]
    wrong: list[str]
    notes: Counter


def check(
    root: Path, pictures: Sequence[Found], dataset: str, report: Callable[[str], None] = print, sample: int = SAMPLE
) -> Checked:
    """Read the header of every picture, and decode those that are unusual and `sample` random ones, in threads."""
    chosen = set(generator(dataset, "sample").permutation(len(pictures))[:sample].tolist())

    def one(reader: Reader, place: int) -> Seen:
        return look(reader, pictures[place], place in chosen)

    seen: list[Seen] = []
    with _strict():
        for found in _reported(_in_threads(root, len(pictures), one), len(pictures), report):
            seen += found
    notes = Counter(note for one in seen for note in one.notes)
    wrong = [f"{_name(p)} ({one.wrong})" for p, one in zip(pictures, seen, strict=True) if one.wrong]
    return Checked(seen, wrong, notes)


def shared(root: Path, pictures: Sequence[Found], seen: Sequence[Seen]) -> list[Found]:
    """The pictures of val that are in train as well: of the same length, and with the same bytes at the start, in the middle and
    at the end. First bytes alone may be those of many pictures, such as rows of white."""
    starts = {split: {o.digest for p, o in zip(pictures, seen, strict=True) if p.split == split} for split in SPLITS}
    both = starts["train"] & starts["val"]
    likely = [p for p, one in zip(pictures, seen, strict=True) if one.digest in both]
    parts = _in_threads(root, len(likely), lambda reader, place: _extract(reader, likely[place]))
    extracts = [extract for part in parts for extract in part]
    train = {extract for p, extract in zip(likely, extracts, strict=True) if p.split == "train"}
    return [p for p, extract in zip(likely, extracts, strict=True) if p.split == "val" and extract in train]


def _extract(reader: Reader, picture: Found) -> bytes:
    """A digest of a picture's length and of its bytes in three places."""
    last = max(0, picture.size - _START)
    parts = (_part(reader, picture, start, _START) for start in (0, last // 2, last))
    return blake2b(picture.size.to_bytes(8, "little") + b"".join(parts), digest_size=16).digest()


def _in_threads(root: Path, total: int, look: Callable[[Reader, int], Any]) -> Iterator[list]:
    """What `look` gives for each of so many places, in their order, by chunks. Each thread has a reader of its own."""
    own = threading.local()

    def chunk(first: int) -> list:
        if not hasattr(own, "reader"):
            own.reader = Reader(root)
        return [look(own.reader, place) for place in range(first, min(first + _CHUNK, total))]

    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        yield from pool.map(chunk, range(0, total, _CHUNK))


def _reported(chunks: Iterator[list], total: int, report: Callable[[str], None]) -> Iterator[list]:
    start = last = time.monotonic()
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if time.monotonic() - last >= 30:
            last = time.monotonic()
            report(f"checked {done:,} of {total:,} pictures, {done / (last - start):,.0f} a second")


def _name(picture: Found) -> str:
    return f"{picture.archive}: {picture.path}" if picture.archive else picture.path


class _strict(warnings.catch_warnings):
    """A picture of more pixels than Pillow takes for harmless is an error; its other warnings are none of ours."""

    def __enter__(self):
        super().__enter__()
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)


def look(reader: Reader, picture: Found, decode: bool) -> Seen:
    """What a picture is; its pixels are decoded where asked for, or where something about it is unusual."""
    digest = b""
    try:
        data = _part(reader, picture, 0, _HEADER)
        digest = blake2b(picture.size.to_bytes(8, "little") + data[:_START], digest_size=16).digest()
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise
        except Exception:  # its header is longer
            if picture.size <= _HEADER:
                raise
            data = _part(reader, picture, 0, picture.size)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        notes = tuple(_notes(image, picture.path))
        if decode or notes or not _complete(reader, picture):
            whole = _part(reader, picture, 0, picture.size)
            if len(whole) < picture.size:
                raise OSError("its file ends too early")
            with Image.open(io.BytesIO(whole), formats=FORMATS) as image:
                rgb(image)
        return Seen(*image.size, digest, notes, "")
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        return Seen(0, 0, digest, (), _reason(error, picture))


def _notes(image: Image.Image, path: str) -> Iterator[str]:
    mode = image.mode
    kinds = {"grey": mode in ("L", "LA", "1"), "cmyk": mode == "CMYK", "palette": mode == "P", "deep": mode[0] in "IF"}
    yield from (note for note, is_so in kinds.items() if is_so)
    if image.format == "JPEG" and image.getexif().get(_ORIENTATION, 1) != 1:
        yield "rotated"
    if not path.lower().endswith(_EXTENSIONS.get(image.format, ())):
        yield "renamed"
    if min(image.size) < _TINY:
        yield "tiny"


def _part(reader: Reader, picture: Found, start: int, count: int) -> bytearray:
    count = max(0, min(count, picture.size - start))
    return reader.read(picture.path, picture.archive, picture.offset + start, count)


def _complete(reader: Reader, picture: Found) -> bool:
    """Whether its end is that of a complete file of its format."""
    first, last = _part(reader, picture, 0, 8), _part(reader, picture, max(0, picture.size - 8), 8)
    if first[:4] == b"RIFF":  # WebP: the length stands in front
        return len(last) == 8 and int.from_bytes(first[4:8], "little") + 8 <= picture.size
    return last.endswith(b"\xff\xd9" if first[:2] == b"\xff\xd8" else b"IEND\xaeB`\x82")


def _reason(error: Exception, picture: Found) -> str:
    if not picture.size:
        return "empty"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "of more pixels than Pillow takes for harmless"
    if type(error).__name__ == "UnidentifiedImageError":
        return "no picture"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
