"""Names of objects: one rule for what readers give, what a collection stores and what becomes the name of a file."""

import hashlib
import os
import re
import unicodedata

ID_BYTES = 512
"""Of an id in a collection, at most."""
FILE_BYTES = 200
"""Of a name that readers give: file systems take 255 bytes, and endings are added to it."""

# Ids become names of pictures and pages: separators and control characters would let one escape its folder.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f/\\]")
_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's controls, halves of characters, and separators of lines


def id_fault(name: str) -> str | None:
    """Why a collection refuses `name` as an id; None where it takes it."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "an id must be text that UTF-8 can write"
    if not 1 <= size <= ID_BYTES:
        return f"its id must have 1 to {ID_BYTES} bytes"
    if _FORBIDDEN.search(name) or name in (".", ".."):
        return "an id may hold no slash, backslash or control character, and not be . or .."
    return None


def fit_name(name: str) -> str:
    """`name` made fit for an id and for a file; itself where it is, empty where nothing is left that names anything.

    Slashes and control characters become hyphens, bytes that are no UTF-8 become %XX, and what is too long ends in a
    hash of the whole.

    >>> fit_name("02958343/1a2b")
    '02958343-1a2b'
    """
    kept = re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)
    kept = "".join("-" if letter in "/\\" or _is_unwritable(letter) else letter for letter in kept).strip()
    if not kept.strip("-. "):
        return ""
    if len(kept.encode()) > FILE_BYTES:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        kept = kept.encode()[: FILE_BYTES - 9].decode(errors="ignore") + "-" + digest
    return kept


def fit_text(text: str) -> str:
    """A label or a group made fit to be stored: one line that UTF-8 can write, of at most ID_BYTES bytes."""
    return printable(text).encode()[:ID_BYTES].decode(errors="ignore")


def printable(text: str) -> str:
    r"""`text` as one line that can be printed and stored: what is no text is written as \xff, \n or \u2028.

    Names of files come with bytes that are no UTF-8, and messages of libraries with any character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(letter) if _is_unwritable(letter) else letter for letter in text)


def same_name(name: str) -> str:
    """What two names have in common that one file system or another takes for the same: case and normal form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_unwritable(letter: str) -> bool:
    return unicodedata.category(letter) in _UNWRITABLE


def _spelled(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{os.fsencode(letter)[0]:02x}"
    return letter.encode("unicode_escape").decode()
