"""Options of a class of the user's, which no registered model takes."""

from ...errors import UserError
from ...models.registry import MODELS


def check_has_class(where: str, models: list[str]) -> None:
    """UserError where the options at `where` reach no class of the user's: all models are registered, or there is none."""
    if all(model in MODELS for model in models):
        raise UserError(
            f"The configuration's {where}.learner_options needs a model that is a dotted path of a class: name one, or remove them."
        )
