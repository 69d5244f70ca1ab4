"""The two checksums of a collection (SHA-256 of files, CRC32C of layers) and the careful opening of listed files."""

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from manyfields.errors import CollectionError

CHUNK = 1 << 20


def sha256(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as in RFC 3720: `crc32c(b"123456789") == 0xE3069283`."""
    return google_crc32c.value(data)


def open_sized(path: Path, size: int | None = None, limit: int | None = None) -> BinaryIO:
    """Open a regular file for reading, after its size was compared with what the manifest says.

    A pipe or a device under the name of a file would block for ever, so only regular files are opened.
    Raises CollectionError where the file is missing, not a file, of another size than `size` or above `limit`.
    """
    try:
        # O_NONBLOCK: opening a pipe must return, so that it can be refused below.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CollectionError(f"{path}: cannot be read ({reason}); restore the file") from error
    state = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(state.st_mode):
        problem = "is not a regular file"
    elif size is not None and state.st_size != size:
        problem = f"has {state.st_size} bytes where the manifest says {size}; the copy is damaged, fetch it again"
    elif limit is not None and state.st_size > limit:
        problem = f"has {state.st_size} bytes, above the limit of {limit}"
    if problem is not None:
        os.close(descriptor)
        raise CollectionError(f"{path}: {problem}")
    return os.fdopen(descriptor, "rb")


def sha256_file(path: Path, size: int) -> str:
    """SHA-256 of a file of `size` bytes, read in pieces. Raises CollectionError as `open_sized`."""
    digest = hashlib.sha256()
    with open_sized(path, size) as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
