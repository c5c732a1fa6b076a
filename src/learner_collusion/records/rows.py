"""Checks of rows that every family of records needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def unique(rows: pd.DataFrame, keys: list[str], what: str) -> pd.DataFrame:
    """The rows themselves. UserError, which names the `keys`, where two rows have the same ones."""
    twice = rows[rows.duplicated(keys)]
    if len(twice):
        which = ", ".join(f"{key} {twice[key].iloc[0]}" for key in keys)
        raise UserError(f"The records hold {what} twice ({which}): delete them and run the workflow again.")
    return rows
