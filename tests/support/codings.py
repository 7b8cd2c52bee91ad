"""Content codings as other programs make and read them."""

import gzip
import zlib

import brotli
import zstandard

CODINGS = ["gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip"]

ENCODE = {
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": lambda data: zlib.compress(data, 1),
    "br": lambda data: brotli.compress(data, quality=3),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}
DECODE = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def encode(codings, data):
    """`codings` as in Content-Encoding: `gzip`, or `gzip, br`."""
    for coding in filter(None, codings.split(", ")):
        data = ENCODE[coding](data)
    return data


def decode(codings, data):
    for coding in reversed(list(filter(None, codings.split(", ")))):
        data = DECODE[coding](data)
    return data


def bomb(coding, mib):
    """Zeros, as many as they are."""
    zeros = bytes(1 << 20)
    if coding == "gzip":
        coder = zlib.compressobj(9, zlib.DEFLATED, 31)
        return b"".join(coder.compress(zeros) for _ in range(mib)) + coder.flush()
    return b"".join(encode(coding, zeros) for _ in range(mib))
