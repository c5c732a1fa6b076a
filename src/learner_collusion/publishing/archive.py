"""Put all published results into one file with checksums: records, figures, claims, configurations. Every figure can be
drawn from it again, without training (`learner-collusion redraw`).

The same results give the same bytes.

Example: learner-collusion archive docs/gallery dist/learner-collusion-results.tar.gz
"""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

from ..errors import UserError
from ..files import replacing
from ..seals import checksum

NAME = "learner-collusion-results"  # the folder that it unpacks to
GALLERY, CONFIG, SUMS = "gallery", "config.yaml", "SHA256SUMS"  # in it

_README = """# Results of learner-collusion {version}

Records, figures, tables and claims that regenerate *Joint Training of Deep Ensembles Fails Due to Learner Collusion* (Jeffares et
al., NeurIPS 2023). `gallery/README.md` shows those at the paper's settings; the folders beside it are of smaller presets.
`config.yaml` is the paper's configuration, and each gallery has its own.

Check the files, then draw each figure again from its records, with learner-collusion {version} installed:

    sha256sum --check --quiet SHA256SUMS
    learner-collusion redraw . redrawn

Nothing is trained but the toy problem of Figure 1.
"""


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("gallery", type=Path, help="the published results, such as docs/gallery")
    parser.add_argument("output", type=Path, help="the archive to write, such as dist/learner-collusion-results.tar.gz")
    parser.add_argument(
        "--config", type=Path, default=Path("config.yaml"), help="the paper's configuration (default: config.yaml)"
    )


def run(options) -> None:
    """Write the archive, and say what it holds."""
    count = write(options.gallery, options.config, options.output)
    size = options.output.stat().st_size
    print(f"{options.output}: {count} files, {size / 1e6:.1f} MB, SHA-256 {checksum(options.output)}")


def write(gallery: Path, config: Path, output: Path) -> int:
    """Write the archive; how many files it holds. Errors: UserError where there is no gallery, or the name is another format's."""
    if not output.name.endswith(".tar.gz"):
        raise UserError(f"The archive {output} must end in .tar.gz: give it such a name.")
    if not (gallery / "README.md").exists():
        raise UserError(f"{gallery} is no gallery: write one with `learner-collusion gallery` first.")
    files = {CONFIG: _read(config), "README.md": _README.format(version=_version()).encode()}
    for path in sorted(path for path in gallery.rglob("*") if path.is_file() and not path.name.startswith(".")):
        files[f"{GALLERY}/{path.relative_to(gallery).as_posix()}"] = path.read_bytes()
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    files[SUMS] = "".join(sums).encode()
    # Neither times nor owners: the same results, the same bytes.
    with (
        replacing(output) as beside,
        open(beside, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return len(files)


def _read(config: Path) -> bytes:
    try:
        return config.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{config} does not exist: name the paper's configuration with --config.") from None


def _version() -> str:
    from importlib.metadata import version

    return version("learner-collusion")
