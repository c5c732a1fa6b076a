"""Numbers that name cells and rows must differ in their names, too."""

from ...errors import UserError


def check_distinct(settings: dict, where: str) -> None:
    """Betas and drop rates are named by six digits, in records and in rows of the claims: those that share them would be mixed up."""
    for key in ("betas", "drop_rates"):
        named: dict[str, float] = {}
        for value in settings.get(key, []):
            other = named.setdefault(f"{value:g}", value)
            if other != value:
                raise UserError(
                    f"The configuration's {where}.{key} holds {other} and {value}, which are the same to six digits: leave one out."
                )
