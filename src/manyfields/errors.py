"""Errors that a user can cause and mend. The command line prints their one line without a traceback."""

import textwrap


class ManyfieldsError(Exception):
    """Base of every error that manyfields raises on purpose."""


class ViewError(ManyfieldsError):
    """A posed view, or a folder of them, cannot be read or used."""


class MeshError(ManyfieldsError):
    """A mesh file cannot be read, rendered or written."""


class CollectionError(ManyfieldsError):
    """A collection is damaged, hostile, or not what its manifest says."""


class ConfigError(ManyfieldsError):
    """A setting has no meaning, or does not fit another one."""


class RunError(ManyfieldsError):
    """A run folder cannot be started, resumed or read."""


class Remark(UserWarning):
    """What a user should know though all goes on. The command line prints its one line."""


def one_line(error: Exception) -> str:
    """The message of an error of torch or a file library, which may have many lines, in one of at most 200 letters."""
    return textwrap.shorten(str(error), 200, placeholder=" ...")
