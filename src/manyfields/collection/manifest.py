"""collection.json: the one file that is ever replaced. It lists every other file with its size and SHA-256."""

import importlib.metadata
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manyfields._io import write_atomic
from manyfields.collection.checksums import open_sized, sha256
from manyfields.errors import CollectionError

NAME = "collection.json"
FORMAT = "manyfields-collection"
MAJOR, MINOR = 1, 2
SIZE_LIMIT = 64 << 20  # bytes; some 150,000 waves
HASH_DIGITS = 16  # of a file's SHA-256, in its name

# The file ends in its own checksum, and the checksum is over what stands before it: no reader has to write JSON
# exactly as Python does.
SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}\n')
SEAL_BYTES = len(',"sha256":""}\n') + 64


@dataclass(frozen=True)
class FileEntry:
    """A file of the collection: name without folder, size in bytes, SHA-256 in hexadecimal."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Wave:
    """Objects that were stored together: how many, their index shard and their codes shard."""

    objects: int
    index: FileEntry
    codes: FileEntry


@dataclass(frozen=True)
class Manifest:
    """What collection.json says. `version` is (major, minor) of the format; files of codecs came with 1.1,
    weights beyond their steps with 1.2."""

    shared: FileEntry
    encoder: FileEntry | None
    waves: tuple[Wave, ...]
    properties: dict[str, Any]
    manyfields: str
    codec: FileEntry | None = None
    version: tuple[int, int] = (MAJOR, 0)

    def files(self) -> list[FileEntry]:
        """Every listed file."""
        return self.parts() + [entry for wave in self.waves for entry in (wave.index, wave.codes)]

    def parts(self) -> list[FileEntry]:
        """The listed files that belong to no wave: shared part, and encoder and codec where there are."""
        return [part for part in (self.shared, self.encoder, self.codec) if part is not None]


def index_name(number: int) -> str:
    return f"objects-{number:05d}.parquet"


def codes_name(number: int) -> str:
    return f"codes-{number:05d}.safetensors"


def part_name(kind: str, digest: str) -> str:
    """Name of a `shared`, `encoder` or `codec` file whose bytes have the SHA-256 `digest`."""
    return f"{kind}-{digest[:HASH_DIGITS]}.safetensors"


def package_version() -> str:
    try:
        return importlib.metadata.version("manyfields")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def canonical_json(value: Any, what: str) -> str:
    """JSON with sorted keys, no spaces, ASCII only. Raises CollectionError where `value` is not plain JSON."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CollectionError(f"{what} cannot be stored as JSON: {error}") from error


def parse_json(data: bytes, where: str) -> Any:
    """Strict JSON: UTF-8, no NaN, no member twice. Raises CollectionError that starts with `where`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a member occurs twice")
        return members

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise CollectionError(f"{where}: is not valid JSON ({error})") from error


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of collection.json: canonical JSON whose last member is the SHA-256 of the JSON without it."""
    value = {**asdict(manifest), "format": FORMAT, "version": "{}.{}".format(*manifest.version)}
    if manifest.codec is None:
        del value["codec"]  # as all collections of version 1.0
    body = canonical_json(value, "the properties of the collection").encode("ascii")
    return body[:-1] + b',"sha256":"' + sha256(body).encode("ascii") + b'"}\n'


def decode_manifest(data: bytes, where: str) -> Manifest:
    """Read the bytes of collection.json. Raises CollectionError (one line, starting with `where`)."""
    seal = SEAL.fullmatch(data[-SEAL_BYTES:])
    body = data[:-SEAL_BYTES] + b"}"
    if seal is None:
        # A newer format may be sealed in another way: say so rather than speak of damage.
        _check_version(parse_json(data, where), where)
        raise CollectionError(f"{where}: does not end in its SHA-256; it is cut short or was changed by hand")
    if seal[1].decode("ascii") != sha256(body):
        raise CollectionError(f"{where}: its SHA-256 is not the one it states; it is damaged or was changed by hand")
    value = parse_json(body, where)
    version = _check_version(value, where)
    waves = _member(value, "waves", list, where)
    encoder, codec = value.get("encoder"), value.get("codec")
    return Manifest(
        shared=_part(_member(value, "shared", dict, where), "shared", where),
        encoder=None if encoder is None else _part(encoder, "encoder", where),
        waves=tuple(_wave(wave, number, where) for number, wave in enumerate(waves)),
        properties=_member(value, "properties", dict, where),
        manyfields=_member(value, "manyfields", str, where),
        codec=None if codec is None else _part(codec, "codec", where),
        version=version,
    )


def read_manifest(folder: Path) -> Manifest:
    """Read `folder`/collection.json. Raises CollectionError where it is missing, damaged or too new."""
    path = folder / NAME
    if not path.exists():
        raise CollectionError(f"{folder}: is not a collection (it has no {NAME})")
    with open_sized(path, limit=SIZE_LIMIT) as file:
        data = file.read(SIZE_LIMIT + 1)
    return decode_manifest(data, str(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace `folder`/collection.json in one step. Raises CollectionError where readers would refuse it."""
    data = encode_manifest(manifest)
    if len(data) > SIZE_LIMIT:
        raise CollectionError(f"{folder / NAME}: would have {len(data)} bytes; store more objects in each wave")
    write_atomic(folder / NAME, data)


def _check_version(value: Any, where: str) -> tuple[int, int]:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CollectionError(f'{where}: is not the manifest of a collection ("format" is not "{FORMAT}")')
    match = re.fullmatch(r"([0-9]{1,6})\.([0-9]{1,6})", str(value.get("version")))
    if match is None:
        raise CollectionError(f"{where}: its version {str(value.get('version'))[:40]!r} is not of the form 1.0")
    major, minor = int(match[1]), int(match[2])
    if major != MAJOR:
        raise CollectionError(
            f"{where}: is of format version {major}.{minor}, this manyfields ({package_version()}) reads {MAJOR}.x; "
            "install a version that reads it"
        )
    return major, minor


def _member(value: Any, name: str, kind: type, where: str) -> Any:
    # `type is`, not isinstance: true is no number.
    if not isinstance(value, dict) or type(value.get(name)) is not kind:
        raise CollectionError(f"{where}: member {name!r} is missing or not a {kind.__name__}")
    return value[name]


def _file(value: Any, where: str) -> FileEntry:
    entry = FileEntry(*(_member(value, name, kind, where) for name, kind in FileEntry.__annotations__.items()))
    if entry.bytes < 0 or re.fullmatch(r"[0-9a-f]{64}", entry.sha256) is None:
        raise CollectionError(f"{where}: the size or SHA-256 of file {entry.file!r} has no meaning")
    return entry


def _expect_name(entry: FileEntry, name: str, where: str) -> FileEntry:
    # Names follow from what the files are, so nothing outside the folder can ever be named.
    if entry.file != name:
        raise CollectionError(f"{where}: names a file {entry.file[:80]!r} where only {name!r} is allowed")
    return entry


def _part(value: Any, kind: str, where: str) -> FileEntry:
    entry = _file(value, where)
    return _expect_name(entry, part_name(kind, entry.sha256), where)


def _wave(value: Any, number: int, where: str) -> Wave:
    objects = _member(value, "objects", int, where)
    if objects < 1:
        raise CollectionError(f"{where}: wave {number} states {objects} objects")
    index = _expect_name(_file(_member(value, "index", dict, where), where), index_name(number), where)
    codes = _expect_name(_file(_member(value, "codes", dict, where), where), codes_name(number), where)
    if codes.bytes < objects:
        raise CollectionError(f"{where}: wave {number} states {objects} objects in {codes.bytes} bytes")
    return Wave(objects, index, codes)
