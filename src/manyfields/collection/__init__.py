"""Bytes at rest: a folder of static files that holds a shared part and any number of objects.

The layout is specified byte by byte in docs/reference/format.md. Nothing here executes what it reads.
"""

from manyfields.collection.reader import Collection, create_collection, open_collection
from manyfields.collection.records import ObjectEntry, ObjectRecord
from manyfields.collection.verify import verify_collection

__all__ = [
    "Collection",
    "ObjectEntry",
    "ObjectRecord",
    "create_collection",
    "open_collection",
    "verify_collection",
]
