"""Large bodies that nobody has to store: 1 MiB blocks, the same every time."""

import functools
import hashlib
import os
import random

MIB = 1 << 20
_PATTERN = random.Random(20261121).randbytes(MIB - 8)


def big_mib():
    """How large the large bodies are; builds with sanitizers ask for less."""
    return int(os.environ.get("EGRET_BIG_MIB", "1024"))


def blocks(mib):
    """No two blocks are equal, so that one lost or swapped changes the checksum."""
    for number in range(mib):
        yield number.to_bytes(8, "big") + _PATTERN


@functools.lru_cache(maxsize=None)
def checksum(mib):
    digest = hashlib.sha256()
    for block in blocks(mib):
        digest.update(block)
    return digest.hexdigest()
