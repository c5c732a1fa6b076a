"""The user's module of a model is read before it is imported: what is no Python is a sentence with its line."""

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan.users_code import module_text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"class Net(\n",
            r"'my_net.Net' cannot be read \(.*my_net.py, line 1: '\(' was never closed\): correct its module",
        ),
        (b"name = '\xf6'\nclass Net: pass\n", r"cannot be read \(.*utf-8.*\): correct its module"),
        (b"x = 1\0\n", r"cannot be read \(.*null bytes.*\): correct its module"),
    ],
)
def test_a_module_that_is_no_python(tmp_path, monkeypatch, content, words):
    (tmp_path / "my_net.py").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words) as raised:
        module_text("my_net.Net")
    assert "\n" not in str(raised.value)


def test_a_module_may_declare_its_encoding(tmp_path, monkeypatch):
    (tmp_path / "my_net.py").write_bytes(b"# coding: latin-1\nname = '\xf6'\n")
    monkeypatch.chdir(tmp_path)
    assert "\xf6" in module_text("my_net.Net")
