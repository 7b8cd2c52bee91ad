"""Content codings as other programs make and read them."""

import gzip
import zlib

import brotli
import zstandard

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
