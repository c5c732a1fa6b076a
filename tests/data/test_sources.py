"""Raw files: the origin (a local server here), archives, the mirror, checksums, and what is said where none has them."""

import functools
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from learner_collusion.data.sources import Unavailable, fetch, original
from learner_collusion.errors import UserError

DATA = b"a,b\n1,2\n"
SHA = [hashlib.sha256(DATA).hexdigest()]


def zipped(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def origin(tmp_path):
    """A web server on this machine: its folder, and its address."""
    folder = tmp_path / "origin"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("content", [DATA, zipped(t_csv=DATA), zipped(inner_zip=zipped(t_csv=DATA))], ids=["file", "zip", "zip in zip"])  # fmt: skip
def test_from_the_origin(origin, tmp_path, content):
    folder, address = origin
    (folder / "data.zip").write_bytes(content)
    out = tmp_path / "raw" / "t.csv"
    assert fetch(out, "t.csv", f"{address}/data.zip", SHA) == "origin"
    assert out.read_bytes() == DATA


@pytest.mark.parametrize(
    "content",
    [zipped(t_csv=b"other"), zipped(t_csv=DATA)[:40], zipped(u_csv=DATA), None],
    ids=["another file", "cut short", "another name", "nothing"],
)
def test_from_the_mirror_where_the_origin_fails(origin, tmp_path, content):
    """Other bytes, a truncated archive, an archive without the file, no file at all."""
    folder, address = origin
    if content:
        (folder / "data.zip").write_bytes(content)
    deep = tmp_path / "mirror" / "uci"
    deep.mkdir(parents=True)
    (deep / "t.csv").write_bytes(DATA)
    assert fetch(tmp_path / "t.csv", "t.csv", f"{address}/data.zip", SHA, str(tmp_path / "mirror")) == "mirror"
    assert (tmp_path / "t.csv").read_bytes() == DATA


def refuse(tmp_path, words, **arguments):
    out = tmp_path / "raw" / "t.csv"
    with pytest.raises(UserError, match=words) as caught:
        fetch(out, "t.csv", retries=0, timeout=2, **arguments)
    assert "\n" not in str(caught.value)
    assert "set LEARNER_COLLUSION_MIRROR" in str(caught.value)
    assert not out.exists() and not list(tmp_path.rglob("*.part"))


def test_wrong_checksum(origin, tmp_path):
    folder, address = origin
    (folder / "t.csv").write_bytes(b"other")
    refuse(tmp_path, "another file or damaged", url=f"{address}/t.csv", sha256=SHA)


def test_missing_mirror_file(tmp_path):
    (tmp_path / "mirror").mkdir()
    refuse(tmp_path, "does not contain t.csv", url=None, sha256=SHA, mirror=str(tmp_path / "mirror"))


def test_no_mirror_and_no_network(tmp_path):
    refuse(tmp_path, "does not answer.*no mirror is set", url="http://127.0.0.1:9/t.csv", sha256=SHA)


def test_mirror_that_is_not_a_folder(tmp_path):
    refuse(tmp_path, "is not a folder", url=None, sha256=SHA, mirror=str(tmp_path / "nowhere"))


def test_an_official_archive_is_checked_by_its_md5(origin, tmp_path):
    folder, address = origin
    md5 = hashlib.md5(DATA).hexdigest()
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.bin").write_bytes(DATA)
    url, mirror = f"{address}/a.bin", str(tmp_path / "mirror")
    assert original(url, "a.bin", md5, mirror, 0, 2) == ("the mirror", DATA)
    (folder / "a.bin").write_bytes(DATA)
    assert original(url, "a.bin", md5, None, 0, 2) == (url, DATA)
    (folder / "a.bin").write_bytes(b"other")
    assert original(url, "a.bin", md5, mirror, 0, 2) == ("the mirror", DATA)
    with pytest.raises(
        UserError, match=r"a.bin is not available: the origin's copy is another .*\(wrong MD5\); no mirror"
    ):
        original(url, "a.bin", md5, None, 0, 2)
    with pytest.raises(Unavailable, match=r"answers 404; the mirror .* does not contain b.bin"):
        original(f"{address}/b.bin", "b.bin", md5, mirror, 0, 2)
