"""An open collection: ids, entries, layers by byte range, the shared part, and the adding of objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyfields.collection import writer
from manyfields.collection.checksums import crc32c, open_sized
from manyfields.collection.index import Index
from manyfields.collection.index_checks import flat_column, layer_counts
from manyfields.collection.manifest import NAME, Manifest, read_manifest
from manyfields.collection.records import ObjectEntry, ObjectRecord
from manyfields.collection.tensors import part_config, part_tensors, read_part_bytes
from manyfields.collection.verify import verify_collection
from manyfields.errors import CollectionError

if TYPE_CHECKING:
    from torch import Tensor

    from manyfields.collection.objects import StoredObject
    from manyfields.families.codec import Codec
    from manyfields.shared_part import SharedPart


def open_collection(path: Path | str) -> Collection:
    """Open a collection. Reads collection.json alone; index and payload are read when they are asked for.

    Raises CollectionError where there is none, or the manifest is damaged or of an unknown version.

    >>> collection = open_collection("runs/vehicles")
    >>> sorted(collection)
    ['car', 'truck', 'van']
    >>> from manyfields.cameras import orbit
    >>> collection["truck"].render(orbit(4, width=16, height=16)).images.shape
    torch.Size([1, 4, 3, 16, 16])
    """
    folder = Path(path)
    return Collection(folder, read_manifest(folder))


def create_collection(
    path: Path | str,
    *,
    shared: dict[str, Tensor],
    config: dict[str, Any],
    encoder: dict[str, Tensor] | None = None,
    properties: dict[str, Any] | None = None,
    codec: tuple[dict[str, Tensor], dict[str, Any]] | None = None,
) -> Collection:
    """Write a collection without objects, and open it.

    `shared`: tensors that rendering needs. `config`: JSON that says how to build what they belong to; it is stored
    inside the shared file, so that `shared_hash` covers it. `encoder`: tensors that only fitting needs.
    `properties`: any JSON about the collection as a whole. `codec`: tensors and config of a codec that has something to
    store; its config's member "codec" then names it, in the place of the shared file's. Raises CollectionError where
    the folder holds a collection already.

    >>> import torch
    >>> collection = create_collection("library", shared={"planes": torch.zeros(3, 8, 8)}, config={"family": "mine"})
    >>> collection.shared()["planes"].shape, collection.config
    (torch.Size([3, 8, 8]), {'family': 'mine'})
    """
    writer.write_new(Path(path), shared, config, encoder, properties or {}, codec)
    return open_collection(path)


class Collection:
    """A shared part and any number of objects, in a folder of static files. Iterates over ids in order of storing.

    >>> collection = create_collection("shelf", shared={}, config={"family": "mine"})
    >>> collection.append([ObjectRecord("truck", [b"coarse", b"fine"])])
    >>> collection.ids, collection.layers("truck", 1), collection.verify()
    (['truck'], [b'coarse'], [])
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest
        self._loaded_index: Index | None = None
        self._config: dict[str, Any] | None = None
        self._shared_part: SharedPart | None = None
        self._codec: Codec[Any] | None = None

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r}, {len(self)} objects, shared {self.shared_hash[:16]})"

    def __len__(self) -> int:
        return sum(wave.objects for wave in self._manifest.waves)

    def __contains__(self, id: object) -> bool:
        return id in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __getitem__(self, id: str) -> StoredObject:
        """One object, ready to render. Raises CollectionError where there is no such object."""
        from manyfields.collection.objects import StoredObject

        return StoredObject(self, self.entry(id))

    @property
    def shared_part(self) -> SharedPart:
        """The shared part as a module that renders, built once. Raises CollectionError where its files do not fit."""
        if self._shared_part is None:
            from manyfields.collection.shared_file import open_shared_part

            self._shared_part = open_shared_part(self)
        return self._shared_part

    @property
    def codec(self) -> Codec[Any]:
        """What turns codes into layers and back, built once. Raises CollectionError where its file does not fit."""
        if self._codec is None:
            from manyfields.collection.objects import open_codec

            self._codec = open_codec(self)
        return self._codec

    @property
    def ids(self) -> list[str]:
        """Ids of all objects, in order of storing."""
        return self._index.ids()

    @property
    def properties(self) -> dict[str, Any]:
        """The JSON that was given about the collection as a whole."""
        return self._manifest.properties

    @property
    def shared_hash(self) -> str:
        """SHA-256 (hexadecimal) of the shared file: tensors and config."""
        return self._manifest.shared.sha256

    @property
    def config(self) -> dict[str, Any]:
        """The config inside the shared file. Raises CollectionError where that file is damaged."""
        if self._config is None:
            self._config = part_config(*self._part("shared"))
        return self._config

    @property
    def codec_config(self) -> dict[str, Any] | None:
        """The config inside the codec's file; None where there is no such file. Raises CollectionError."""
        return None if self._manifest.codec is None else part_config(*self._part("codec"))

    def codec_tensors(self) -> dict[str, Tensor]:
        """Tensors of the codec, checked by SHA-256; {} where it has no file. Raises CollectionError."""
        return {} if self._manifest.codec is None else part_tensors(*self._part("codec"))

    def shared(self) -> dict[str, Tensor]:
        """Tensors of the shared part, checked by SHA-256. Raises CollectionError."""
        return part_tensors(*self._part("shared"))

    def encoder(self) -> dict[str, Tensor] | None:
        """Tensors of the encoder, checked by SHA-256; None where the collection has none. Raises CollectionError."""
        return None if self._manifest.encoder is None else part_tensors(*self._part("encoder"))

    def entry(self, id: str) -> ObjectEntry:
        """What the index says of one object. Raises CollectionError where there is no such object."""
        return self._index.entry(id)

    def layers(self, id: str, count: int | None = None) -> list[bytes]:
        """The first `count` layers of an object (all where None, or where it has fewer), coarsest first.

        Reads the bytes of these layers alone and checks their CRC32C. Raises CollectionError that names file, object
        and layer.
        """
        if count is not None and count < 1:
            raise CollectionError(f"{self.path}: object {id!r}: {count} layers were asked for; ask for at least 1")
        entry = self.entry(id)
        codes = self._manifest.waves[entry.shard].codes
        path = self.path / codes.file
        layers = []
        with open_sized(path, codes.bytes) as file:
            for number, ((begin, end), stated) in enumerate(zip(entry.ranges[:count], entry.crc, strict=False)):
                file.seek(begin)
                layer = file.read(end - begin)
                if len(layer) != end - begin or crc32c(layer) != stated:
                    raise CollectionError(
                        f"{path}: object {id!r}, layer {number}: its CRC32C is not the one in the index; "
                        "the file is damaged, fetch it again"
                    )
                layers.append(layer)
        return layers

    def append(self, records: Sequence[ObjectRecord]) -> None:
        """Store one wave of objects: one codes shard, one index shard, then the manifest.

        After a crash at any moment the collection holds all objects of the wave or none of them. An empty wave does
        nothing. Raises CollectionError, with nothing stored, for an id that is stored already or occurs twice, an
        object without layers, an empty layer, a matrix that has no meaning, or while another process is adding.
        """
        if not records:
            return
        twice = [id for id, times in Counter(record.id for record in records).items() if times > 1]
        if twice:
            raise CollectionError(f"{self.path}: object {twice[0]!r} occurs twice in one wave")
        with writer.exclusive(self.path):
            self._catch_up()
            for record in records:
                if record.id in self._index:
                    raise CollectionError(f"{self.path}: object {record.id!r} is stored already; ids are unique")
            index = self._index
            minor = 0 if self._manifest.codec is None else self.codec.minor(record.layers for record in records)
            self._manifest, table = writer.write_wave(self.path, self._manifest, records, minor)
            index.add(table)

    def refusal(self, record: ObjectRecord) -> str | None:
        """Why `append` would refuse an object; None where it would not."""
        return f"{self.path}: it is stored already" if record.id in self else writer.refusal(record)

    def verify(self) -> list[str]:
        """Problems of the files as they are now on disk; [] means sound. See `verify_collection`."""
        return verify_collection(self.path)

    def sizes(self) -> dict[str, Any]:
        """Bytes on disk.

        `manifest`, `shared`, `codec`, `encoder`, `index`, `codes_layer0`, `codes_finer` (layers from 1 on) and
        `codes_tables` (headers and offsets of codes shards) add up to `total`. `objects`, `waves`: counts.
        `per_object`: means over objects of `layers` (its own bytes), `layer0`, `index` (with codes tables and
        manifest), `shared` and `codec` (divided by the number of objects); {} where there are none.
        """
        manifest, tables = self._manifest, self._index.tables()
        layer0 = finer = 0
        for table in tables:
            lengths = flat_column(table, "layer_end") - flat_column(table, "layer_begin")
            counts = layer_counts(table)
            coarse = int(lengths[counts.cumsum() - counts].sum())
            layer0 += coarse
            finer += int(lengths.sum()) - coarse
        sizes: dict[str, Any] = {
            "manifest": (self.path / NAME).stat().st_size,
            "shared": manifest.shared.bytes,
            "codec": 0 if manifest.codec is None else manifest.codec.bytes,
            "encoder": 0 if manifest.encoder is None else manifest.encoder.bytes,
            "index": sum(wave.index.bytes for wave in manifest.waves),
            "codes_layer0": layer0,
            "codes_finer": finer,
            "codes_tables": sum(wave.codes.bytes for wave in manifest.waves) - layer0 - finer,
        }
        sizes["total"] = sum(sizes.values())
        count = len(self)
        around = sizes["index"] + sizes["codes_tables"] + sizes["manifest"]
        sizes["objects"], sizes["waves"] = count, len(manifest.waves)
        sizes["per_object"] = (
            {
                "layers": (layer0 + finer) / count,
                "layer0": layer0 / count,
                "index": around / count,
                "shared": sizes["shared"] / count,
                "codec": sizes["codec"] / count,
            }
            if count
            else {}
        )
        return sizes

    @property
    def _index(self) -> Index:
        if self._loaded_index is None:
            self._loaded_index = Index(self.path, self._manifest)
        return self._loaded_index

    def _part(self, kind: str) -> tuple[bytes, str]:
        entry = getattr(self._manifest, kind)
        return read_part_bytes(self.path, entry), str(self.path / entry.file)

    def _catch_up(self) -> None:
        """Take in what another process has added since this collection was opened."""
        manifest = read_manifest(self.path)
        if manifest == self._manifest:
            return
        if (manifest.shared, manifest.codec) != (self._manifest.shared, self._manifest.codec):
            raise CollectionError(f"{self.path}: another collection stands there now; open it again")
        self._manifest, self._loaded_index = manifest, None
