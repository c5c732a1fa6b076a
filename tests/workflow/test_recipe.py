"""A recipe of docs/architecture.md, followed to the letter."""

import re

from workflows import ROOT, copy_of_the_clone, snakemake


def test_a_recipe_of_the_documentation(tmp_path):
    """docs/architecture.md, "A model": its code blocks are applied to a copy of the clone, and its command is run there."""
    clone = copy_of_the_clone(tmp_path)
    text = (ROOT / "docs/architecture.md").read_text()
    recipe = text.split("### A model")[1].split("\n### ")[0]
    additions = re.findall(r"`(src/[^`]+)`:\n\n```python\n(.*?)```", recipe, re.S)
    assert [file.rsplit("/", 1)[-1] for file, _ in additions] == ["cifar.py", "registry.py"]
    for file, code in additions:
        with open(clone / file, "a") as opened:
            opened.write(f"\n\n{code}")
    (clone / "mine.yaml").write_text(recipe.split("```yaml\n")[1].split("```")[0])
    command = recipe.split("```console\n")[1].split("```")[0].split()
    assert command[0] == "snakemake"
    result = snakemake(*command[1:], clone=clone)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    made = list(clone.rglob("results/figures/fig15_cnn.csv"))
    assert len(made) == 1 and "narrow_mlp" in made[0].read_text()
