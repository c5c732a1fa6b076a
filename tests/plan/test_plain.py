"""What no configuration may hold, wherever it stands: numbers that are not finite, texts that are not printed, too much of anything."""

import copy

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan import configuration
from learner_collusion.plan.plain import check_plain


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["a", "b"])
def test_numbers_are_finite(value, where):
    """YAML has .nan, which passes every minimum and maximum, and .inf."""
    tree = {"a": {"b": [1, {where: value}]}}
    with pytest.raises(UserError, match=rf"a.b.1.{where} is {value}, but must be a finite number"):
        check_plain(tree)


@pytest.mark.parametrize("text", ["two\nlines", "a\0b", "a\rb", "a\x1b[2Jb", "a\u2028b", "a\u200eb"])
def test_texts_and_keys_are_printed(text):
    for tree in ({"a": [text]}, {"a": {text: 1}}, {text: 1}, {"a": {"title": text}}):
        with pytest.raises(UserError, match="character that is not printed") as said:
            check_plain(tree)
        assert "\n" not in str(said.value)
    check_plain(
        {"separator": "\t", "thousands": "\u202f", "title": "Übung, größer als „1“ – {b} $x^{", "remark": "two\nlines"}
    )


@pytest.mark.parametrize("key", [1, None, 1.5, True, (1, 2)])
def test_keys_are_texts(key):
    with pytest.raises(UserError, match=r"top level has the key .* which is no text"):
        check_plain({key: 1})


def test_nothing_is_too_much():
    many = [0] * 1000
    for _ in range(3):
        many = [many] * 1000
    deep: list = []
    for _ in range(60):
        deep = [deep]
    itself: dict = {}
    itself["a"] = [itself]
    for tree, words in (
        ({"a": many}, "more than 100,000 values"),
        ({"a": deep}, "nested too deeply"),
        (itself, "a.0 holds itself"),
        ({"a": "x" * 10**6}, "has 1,000,000 characters"),
    ):
        with pytest.raises(UserError, match=words):
            check_plain(tree)


def test_the_papers_configuration_is_plain(config):
    check_plain(copy.deepcopy(config))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' stands on line 1 and on line 3"),
        ("a: [{b: 1, b: 2}]", "the key 'b' stands on line 1 and on line 1"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "the key 'b' stands on line 2 and on line 4"),
        ("[" * 5000, "is not valid YAML"),
        ("a: !!python/object/apply:os.system [x]", "is not valid YAML"),
        ("a: 2020-13-45", "is not valid YAML"),
        ("a: *b", "is not valid YAML"),
        ("{a: 1}: 2", "is not valid YAML"),
        ("a: \x01", "is not valid YAML"),
    ],
)
def test_what_is_no_yaml_or_says_a_thing_twice(tmp_path, text, words):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as said:
        configuration.load(path)
    assert "\n" not in str(said.value) and str(path) in str(said.value)


def test_merged_keys_are_not_said_twice(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: &a {b: 1, c: 2}\nd: {<<: *a, b: 3}\n")
    assert configuration.load(path)["d"] == {"b": 3, "c": 2}
    path.write_text("x: {y: {z: &z {<<: &w {b: 1}, b: 2}}}\nd: {<<: *z}\n")  # d is put together first
    assert configuration.load(path)["d"] == {"b": 2}
