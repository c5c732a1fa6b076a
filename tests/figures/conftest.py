"""Figures that a test looks at are closed after it."""

import pytest


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
