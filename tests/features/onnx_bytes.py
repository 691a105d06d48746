"""An ONNX file by hand, so that the tests need no exporter: the protocol buffer of one ReduceMean.

Field numbers are those of onnx.proto3 (ModelProto, GraphProto, NodeProto, ValueInfoProto).
"""

from __future__ import annotations

from collections.abc import Sequence

VARINT, BYTES = 0, 2  # wire types


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    """A float tensor's name and shape; sizes that are words are free."""
    sizes = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    tensor = _field(1, 1) + _field(2, sizes)  # element type 1 is float
    return _field(1, name) + _field(2, _field(1, tensor))


def onnx_mean_pool(shape: Sequence[int | str], *, keepdims: bool = False) -> bytes:
    """A model whose output is the mean of its input over the last two axes."""
    axes = _field(1, "axes") + b"".join(_field(8, axis) for axis in (-2, -1)) + _field(20, 7)  # 7 is INTS
    keep = _field(1, "keepdims") + _field(3, int(keepdims)) + _field(20, 2)  # 2 is INT
    node = _field(1, "x") + _field(2, "y") + _field(4, "ReduceMean") + _field(5, axes) + _field(5, keep)
    wide = [*shape[:-2], *((1, 1) if keepdims else ())]
    graph = _field(1, node) + _field(2, "g") + _field(11, _value("x", shape)) + _field(12, _value("y", wide))
    opset = _field(1, "") + _field(2, 13)
    return _field(1, 8) + _field(7, graph) + _field(8, opset)
