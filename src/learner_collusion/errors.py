"""Errors that the user can fix."""


class UserError(ValueError):
    """One sentence that says what is wrong and what to do; the commands print it without a traceback."""
