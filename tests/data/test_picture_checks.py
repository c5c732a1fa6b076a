"""Pictures that are unusual are named, and those that cannot be read are refused."""

import io
import os

import drawn_pictures as make
import numpy as np
import pytest
from drawn_pictures import prepare, refused
from PIL import Image

from learner_collusion.data import picture_checks
from learner_collusion.data.picture_bytes import Reader, decode, rgb
from learner_collusion.data.picture_files import find

W = make.WNIDS


@pytest.fixture(scope="module")
def pictures():
    return make.drawn()


@pytest.fixture(scope="module")
def image():
    return make.draw(np.random.default_rng(1), 0, (60, 45))


FIRST = f"train/{W[0]}/{W[0]}_1.JPEG"
DEEP = (np.arange(45 * 60, dtype=np.uint16).reshape(45, 60) * 20).astype(np.uint16)


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return make.encoded(image, exif=exif)


UNUSUAL = {
    "grey": lambda image: make.encoded(image.convert("L")),
    "CMYK": lambda image: make.encoded(image.convert("CMYK")),
    "with a palette": lambda image: make.encoded(image.convert("P"), "PNG"),
    "of 16 bits": lambda image: make.encoded(Image.fromarray(DEEP), "PNG"),
    "turned by their EXIF data": turned,
    "of another format than their names say": lambda image: make.encoded(image, "PNG"),
    "smaller than 8 pixels": lambda image: make.encoded(image.resize((1, 1))),
}


@pytest.mark.parametrize("words", UNUSUAL)
def test_what_is_unusual_is_named_and_read(tmp_path, pictures, image, words):
    content = UNUSUAL[words](image)
    line, metadata, rows = prepare(tmp_path, make.write(tmp_path / "set", pictures | {FIRST: content}))
    assert f"1 {words}" in line and FIRST in line and metadata["notes"]
    pixels = decode(bytearray(content))
    assert (rows[0]["width"], rows[0]["height"]) == (pixels.shape[2], pixels.shape[1])
    expected = np.asarray(rgb(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), expected)


def test_nothing_unusual_is_not_named(tmp_path, pictures):
    line, metadata, _ = prepare(tmp_path, make.write(tmp_path / "set", pictures))
    assert line == f"tiny: 12 + 6 pictures of 3 classes, read from {tmp_path / 'set'}" and metadata["notes"] == {}


def test_sixteen_bits_keep_their_higher_eight(image):
    content = UNUSUAL["of 16 bits"](image)
    pixels = decode(bytearray(content))
    np.testing.assert_array_equal(pixels[0].numpy(), DEEP >> 8)


def test_grey_is_the_same_in_all_channels(image):
    pixels = decode(bytearray(UNUSUAL["grey"](image)))
    assert (pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_every_format_is_read_as_pillow_reads_it(image, kind):
    content = make.encoded(image, kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(decode(bytearray(content)).permute(1, 2, 0).numpy(), expected)


def bomb() -> bytes:
    """The header of a PNG of 30,000 x 30,000 pixels."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


DAMAGED = {
    "(empty)": lambda whole: b"",
    "(no picture)": lambda whole: b"<html>404</html>",
    "runcated": lambda whole: whole[: len(whole) // 2],
    "of more pixels than": lambda whole: bomb(),
    "(": lambda whole: whole[:30],
}


@pytest.mark.parametrize("words", DAMAGED)
@pytest.mark.parametrize("packed", [False, True])
def test_what_cannot_be_read_is_refused_by_name(tmp_path, pictures, words, packed):
    given = pictures | {FIRST: DAMAGED[words](pictures[FIRST])}
    source = make.tar(tmp_path / "x.tar", given) if packed else make.write(tmp_path / "set", given)
    said = refused(tmp_path, source)
    assert FIRST in said and words in said and "tiny has 1 picture that cannot be read" in said


def test_all_that_cannot_be_read_are_named_up_to_ten(tmp_path, pictures):
    given = {place: b"no" if place.startswith("train") else content for place, content in pictures.items()}
    said = refused(tmp_path, make.write(tmp_path / "set", given))
    assert (
        "tiny has 12 pictures that cannot be read" in said and "and 2 more" in said and said.count("no picture") == 10
    )


def test_a_file_without_permission_is_named(tmp_path, pictures, monkeypatch):
    make.write(tmp_path / "set", pictures)
    read = Reader.read

    def forbidden(self, path, *rest):
        if path == FIRST:
            raise PermissionError(13, "Permission denied")
        return read(self, path, *rest)

    monkeypatch.setattr(Reader, "read", forbidden)
    assert FIRST in (said := refused(tmp_path, tmp_path / "set")) and "Permission denied" in said


def test_damage_inside_is_found_in_the_sample(tmp_path, pictures, image):
    """A whole header and a whole end, and damage between: only pixels show it."""
    content = bytearray(make.encoded(image, "PNG"))
    content[len(content) // 2] ^= 0xFF
    given = {place.replace(".JPEG", ".png"): make.encoded(image, "PNG") for place in pictures}
    make.write(tmp_path / "set", given | {FIRST.replace(".JPEG", ".png"): bytes(content)})
    found = find(tmp_path / "set")
    for sample, wrong in ((0, 0), (18, 1)):
        checked = picture_checks.check(found.root, found.pictures, "tiny", sample=sample)
        assert len(checked.wrong) == wrong and len(checked.seen) == 18


def test_a_long_header(tmp_path, pictures, image):
    """More than what is read at first: an embedded thumbnail, a colour profile."""
    content = make.encoded(image, icc_profile=os.urandom(200_000))
    _, _, rows = prepare(tmp_path, make.write(tmp_path / "set", pictures | {FIRST: content}))
    assert (rows[0]["width"], rows[0]["height"]) == image.size


def test_many_tars_stay_within_the_open_files(tmp_path):
    reader = Reader(tmp_path)
    for number in range(100):
        make.tar(tmp_path / f"{number}.tar", {"x": bytes([number])})
        assert reader.read("x", f"{number}.tar", 512, 1) == bytes([number])
    assert len(reader.archives) <= 32
    reader.close()


def test_scaled_decoding(image):
    """Half of the pixels of each side, and the box's edges rounded to them."""
    content = make.encoded(image.resize((400, 301)), quality=95)
    whole = decode(content)
    half = whole[:, :300].float().unflatten(1, (150, 2)).unflatten(3, (200, 2)).mean((2, 4))
    for reduction, factor in ((1.99, 1), (2, 2), (3.9, 2), (4, 4), (20, 8)):
        assert decode(content, reduction=reduction).shape == (3, -(-301 // factor), 400 // factor)
    smaller = decode(content, reduction=2)
    assert (smaller[:, :150].float() - half).abs().mean() < 1
    for box, rounded in (((0, 0, 400, 301), (0, 0, 200, 151)), ((101, 51, 200, 200), (50, 26, 150, 126))):
        left, top, right, bottom = rounded
        np.testing.assert_array_equal(decode(content, box, 2), smaller[:, top:bottom, left:right])
    np.testing.assert_array_equal(decode(content, (7, 9, 30, 20)), whole[:, 9:29, 7:37])


def test_long_checks_say_how_far_they_are(tmp_path, pictures, monkeypatch):
    """Every half minute."""
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(picture_checks.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(picture_checks, "_CHUNK", 3)
    said = []
    found = find(make.write(tmp_path / "set", pictures))
    picture_checks.check(found.root, found.pictures, "tiny", said.append)
    assert said and all(" of 18 pictures" in line and "a second" in line for line in said)
