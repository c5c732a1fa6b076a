import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion.wording import counted, listed, meant


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_every_name_is_shown_or_counted(names, most):
    shown, _, more = listed(names, most).partition(" and ")
    assert shown == ", ".join(map(str, names[:most]))
    assert more == (f"{len(names) - most} more" if len(names) > most else "")


def test_names_are_shown_as_asked():
    assert listed(["a", "b", "c"], 2, "; ", repr) == "'a'; 'b' and 1 more"
    assert listed(range(3000), 1) == "0 and 2,999 more"


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [(1, "picture", "1 picture"), (0, "picture", "0 pictures"), (1200, "class", "1,200 classes")],
)
def test_a_number_of_things(number, what, text):
    assert counted(number, what) == text


def test_the_nearest_name_is_asked_for_and_no_far_one():
    assert meant("pricce", ["rooms", "price"]) == "did you mean 'price'?"
    assert meant("zzz", ["rooms", "price"]) == "" == meant("price", [])
