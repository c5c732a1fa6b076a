"""Whose fault a wrong class is: of the folders of val, or of the file of labels."""

import drawn_pictures as make
import pytest
from drawn_pictures import prepare, refused

W = make.WNIDS
KNOWN = {W[0]: 293, W[1]: 665, W[2]: 537}  # the numbers of validation pictures of which the class is known


@pytest.fixture(scope="module")
def pictures():
    """One picture of each class of val has a number that is known."""
    given = {}
    for place, content in make.drawn().items():
        number = place.rsplit("_", 1)[1].removesuffix(".JPEG")
        if place.startswith("val/") and int(number) <= 3:
            place = place.replace(number, f"{KNOWN[place.split('/')[1]]:08d}")
        given[place] = content
    return given


def labels(folder, pictures, wrong=None):
    """Kaggle's table, with other classes for the known pictures in `wrong`."""
    path = make.kaggle(folder, pictures)
    text = path.read_text()
    for stem, wnid in (wrong or {}).items():
        text = text.replace(f"{stem},{make.val_labels(pictures)[stem]} ", f"{stem},{wnid} ")
    path.write_text(text)
    return folder


FIRST = "ILSVRC2012_val_00000293"


@pytest.mark.parametrize("arrange", [make.flat, dict], ids=["flat", "sorted"])
def test_a_file_of_labels_that_is_wrong_is_to_be_fetched_again(tmp_path, pictures, arrange):
    folder = labels(make.write(tmp_path / "set", arrange(pictures)), pictures, {FIRST: W[1]})
    said = refused(tmp_path, folder)
    assert f"LOC_val_solution.csv gives 1 picture of val another class than known: {FIRST} ({W[1]}, not {W[0]})" in said
    assert said.endswith("; fetch LOC_val_solution.csv again.") and "sort val" not in said
    labels(folder, pictures)
    assert len(prepare(tmp_path, folder)[2]) == 18


def test_a_devkit_that_is_wrong_is_to_be_fetched_again(tmp_path, pictures):
    """Its lines count from 1; so the known pictures need as many lines before them."""
    folder = make.write(tmp_path / "set", make.flat(pictures))
    truth, _ = make.devkit(folder, pictures)
    truth.write_text("1\n2\n3\n" * 300)
    said = refused(tmp_path, folder)
    assert (
        "ILSVRC2012_validation_ground_truth.txt gives " in said and "fetch ILSVRC2012_devkit_t12.tar.gz again" in said
    )


def test_a_val_that_is_sorted_otherwise_is_to_be_sorted_anew(tmp_path, pictures):
    given = {p.replace(f"{W[0]}/{FIRST}", f"{W[1]}/{FIRST}"): c for p, c in pictures.items()}
    folder = make.write(tmp_path / "set", given)
    assert "sort val anew" in refused(tmp_path, folder)
    said = refused(tmp_path, labels(folder, pictures))
    assert "in another class than LOC_val_solution.csv says" in said and "sort val anew" in said
