"""Raw files: the origin (a local server here), archives, the mirror, checksums, and what is said where none has them."""

import contextlib
import functools
import hashlib
import http.server
import io
import os
import socket
import stat
import threading
import zipfile

import pytest

from learner_collusion.data import archives
from learner_collusion.data.sources import Unavailable, fetch, fetch_own, folder_with, original
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


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def nested(levels: int) -> bytes:
    content = zipped(t_csv=DATA)
    for _ in range(levels):
        content = zipped(inner_zip=content)
    return content


def with_member(name, content: bytes = DATA) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped(t_csv=DATA))
    for flags in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[flags] |= 1
    return bytes(content)


BOMB = with_member("t.csv", bytes(3 * 10**6))
ARCHIVES = {
    "a bomb": (BOMB, "unpacks to more than 1,000,000 bytes"),
    "bombs within": (zipped(a_zip=BOMB, t_csv=DATA), "unpacks to more than 1,000,000 bytes"),
    "many files": (zipped(**{f"n{number}": b"" for number in range(31)}), "holds 31 files, more than 30"),
    "too deep": (nested(4), "holds archives more than 3 deep"),
    "a link": (with_member(link("t.csv"), b"/etc/passwd"), "does not contain t.csv"),
    "a folder": (with_member("t.csv/", b""), "does not contain t.csv"),
    "a password": (encrypted(), "the archive is damaged .*password"),
    "two files": (zipped(**{"a/t_csv": b"1", "b/t_csv": b"2"}), "a/t.csv and .*b/t.csv are two different files of one name"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_unpacked_within_bounds(origin, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "LARGEST", 10**6)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 30)
    folder, address = origin
    content, words = ARCHIVES[kind]
    (folder / "data.zip").write_bytes(content)
    refuse(tmp_path, words, url=f"{address}/data.zip", sha256=None)


@pytest.mark.parametrize("name", ["../../t.csv", "/tmp/t.csv", "..\\..\\t.csv", "C:/t.csv"])
def test_no_name_in_an_archive_leads_out_of_a_folder(origin, tmp_path, name):
    folder, address = origin
    (folder / "data.zip").write_bytes(with_member(name))
    out = tmp_path / "deep" / "in" / "t.csv"
    if "\\" in name:
        refuse(tmp_path, "does not contain", url=f"{address}/data.zip", sha256=SHA)
    else:
        assert fetch(out, "t.csv", f"{address}/data.zip", SHA) == "origin"
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {"t.csv", "data.zip"} and not (tmp_path / "t.csv").exists()


def test_of_two_files_in_an_archive_or_a_mirror_the_checksum_picks(origin, tmp_path):
    folder, address = origin
    (folder / "data.zip").write_bytes(zipped(**{"a/t_csv": b"other", "b/t_csv": DATA}))
    assert fetch(tmp_path / "t.csv", "t.csv", f"{address}/data.zip", SHA) == "origin"
    for name, content in (("a", b"other"), ("b", DATA)):
        (tmp_path / "mirror" / name).mkdir(parents=True)
        (tmp_path / "mirror" / name / "t.csv").write_bytes(content)
    assert fetch(tmp_path / "t.csv", "t.csv", None, SHA, str(tmp_path / "mirror")) == "mirror"
    assert (tmp_path / "t.csv").read_bytes() == DATA


def test_of_two_files_in_a_mirror_without_a_checksum_both_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "mirror" / name).mkdir(parents=True)
        (tmp_path / "mirror" / name / "t.csv").write_bytes(DATA)
    mirror = str(tmp_path / "mirror")
    assert folder_with(mirror, "t.csv") == tmp_path / "mirror" / "a"
    assert fetch(tmp_path / "t.csv", "t.csv", None, None, mirror) == "mirror"
    (tmp_path / "mirror" / "b" / "t.csv").write_bytes(b"other")
    refuse(tmp_path, "a/t.csv and .*b/t.csv are two different files of one name", url=None, sha256=None, mirror=mirror)
    with pytest.raises(UserError, match=r"a/t.csv and .*b/t.csv are two different files"):
        folder_with(mirror, "t.csv")


def spoil(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to nowhere":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["pipe", "link to nowhere", "link to itself", "device", "folder"])
def test_what_is_no_file_is_passed_over_and_named_where_nothing_else_is(tmp_path, kind):
    (tmp_path / "mirror" / "a").mkdir(parents=True)
    (tmp_path / "mirror" / "b").mkdir()
    mirror = str(tmp_path / "mirror")
    spoil(tmp_path / "mirror" / "a" / "t.csv", kind)
    refuse(tmp_path, "a/t.csv, which is a link to nowhere, a folder, a pipe", url=None, sha256=SHA, mirror=mirror)
    (tmp_path / "mirror" / "b" / "t.csv").write_bytes(DATA)
    assert fetch(tmp_path / "t.csv", "t.csv", None, SHA, mirror) == "mirror"
    with pytest.raises((UserError, OSError), match=r"pipe|not a file|symbolic links"):
        fetch_own(tmp_path / "own.csv", str(tmp_path / "mirror" / "a" / "t.csv"), "t.csv", None)
    assert not (tmp_path / "own.csv").exists()


def test_a_device_behind_an_address(tmp_path):
    for address in ("file:///dev/zero", "http://[::1/t.csv", "http://", "http://127.0.0.1:9/a b\nc"):
        with pytest.raises(UserError, match=r"is a pipe, a socket or a device|t.csv is not available"):
            fetch_own(tmp_path / "own.csv", None, "t.csv", address, retries=0, timeout=1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "ends too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n9\r\nx", "ends too early|does not answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort", "ends too early|does not answer"),
        (b"nonsense\r\n\r\n", "does not answer"),
        (b"", "does not answer"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2000), "is larger than 1,000 bytes"),
    ],
)  # fmt: skip
def test_answers_that_lie(tmp_path, monkeypatch, answer, words):
    monkeypatch.setattr(archives, "LARGEST", 1000)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(10_000)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        refuse(tmp_path, words, url=f"http://127.0.0.1:{server.getsockname()[1]}/t.csv", sha256=None)
