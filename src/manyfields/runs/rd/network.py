"""The network of a run as curves count it: in 8 bits, and what these decode to."""

import copy
import json

import torch

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.families.registry import family_config
from manyfields.shared_part import SharedPart

NETWORK_BITS = 8


def as_stored(shared: SharedPart) -> tuple[bytes, SharedPart]:
    """The config and numbers of a family as bytes, | JSON | newline | numbers |, and the shared part they decode to."""
    decoded = copy.deepcopy(shared)
    parameters = list(decoded.family.parameters())
    flat = torch.cat([parameter.detach().flatten() for parameter in parameters])
    data = encode_network(flat, NETWORK_BITS)
    numbers = decode_network(data, len(flat), NETWORK_BITS).split([parameter.numel() for parameter in parameters])
    with torch.no_grad():
        for parameter, own in zip(parameters, numbers, strict=True):
            parameter.copy_(own.view(parameter.shape))
    return stored_config(shared) + b"\n" + data, decoded


def stored_config(shared: SharedPart) -> bytes:
    """The config of a family as JSON."""
    return json.dumps(family_config(shared.family), sort_keys=True).encode()
