"""Cancelled: what is raised where the caller asked to stop."""


class CancelledError(RuntimeError):
    """The caller asked to stop before the last window; there is no answer, and no file.

    It ends a run of cases too: those done before it keep their outputs.
    """
