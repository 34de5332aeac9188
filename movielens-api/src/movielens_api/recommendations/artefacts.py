"""Models in files, checked and mapped into memory, as ``docs/model-format.md`` specifies them."""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from movielens_api.recommendations.model import Model
from movielens_api.system.json_values import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "airflow-movielens-model"
FORMAT_VERSION = 1
_HEADER = "header.json"
_DTYPES = {"movies": "<i4", "trend": "<f4", "other_movies": "<i4", "other_trend": "<f4", "matrix": "<f4"}
_FIRST_BYTES = b"PK\x03\x04"
# The header of a member in the file: 26 bytes, then the lengths of its name and of its extra field.
_LENGTHS = struct.Struct("<26xHH")
# What reading a damaged archive raises.
_DAMAGE = (
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class UnusableModelError(Exception):
    """The file is no model, is damaged, or is too new; the message says so without its folder."""


def open_model(path: Path) -> Model:
    """Check a model's file, and map it into memory, which all processes share.

    Args:
        path: The file. It may be deleted while the model is in use, but not changed.

    Raises:
        OSError: The file cannot be opened.
        UnusableModelError: It holds no model, is damaged, or was written in a newer format.
    """
    with path.open("rb") as file:
        if file.read(len(_FIRST_BYTES)) != _FIRST_BYTES:
            raise UnusableModelError(f"{path.name} holds no model")
        try:
            with ZipFile(file) as archive:
                header = _header(archive, path.name)
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                arrays = {name: _array(archive, content, name, header["arrays"][name]) for name in _DTYPES}
            return _model(arrays, header["parameters"])
        except _DAMAGE as error:
            raise UnusableModelError(f"{path.name} is damaged ({error})") from error


def _header(archive: ZipFile, name: str) -> dict[str, Any]:
    header = parse_json(archive.read(_HEADER)) if _HEADER in archive.namelist() else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UnusableModelError(f"{name} holds no model")
    if header["format_version"] != FORMAT_VERSION:
        raise UnusableModelError(
            f"{name} has version {header['format_version']!r} of the model format, and this server reads version "
            f"{FORMAT_VERSION}: install a later movielens-api"
        )
    return header


def _array(archive: ZipFile, content: mmap.mmap, name: str, description: Mapping[str, Any]) -> NDArray[Any]:
    """Return an array in place, after a check that it is the one that was written."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    name_length, extra_length = _LENGTHS.unpack_from(content, member.header_offset)
    end = member.header_offset + _LENGTHS.size + name_length + extra_length + member.file_size
    count = math.prod(description["shape"])
    dtype = np.dtype(_DTYPES[name])
    start = end - count * dtype.itemsize
    if not member.header_offset < start <= end <= len(content):
        raise ValueError(f"{name} is shorter than its shape")
    # Reading it once also means that no request waits for the disk.
    if sha256(memoryview(content)[start:end]).hexdigest() != description["sha256"]:
        raise ValueError(f"{name} has another checksum")
    return np.frombuffer(content, dtype, count, start).reshape(description["shape"])


def _model(arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> Model:
    size, others = len(arrays["movies"]), len(arrays["other_movies"])
    shapes = {"trend": (size,), "other_trend": (others,), "matrix": (size, size)}
    if wrong := [name for name, shape in shapes.items() if arrays[name].shape != shape]:
        raise ValueError(f"the shapes of {', '.join(wrong)} do not fit the movies")
    # An archive does not align its members. Only the matrix is so large that it is used in place.
    aligned = {name: array if name == "matrix" else array.copy() for name, array in arrays.items()}
    matrix = arrays["matrix"]
    return Model(
        **aligned,
        largest=float(max(matrix.max(initial=0), -matrix.min(initial=0))),
        decay=float(parameters["decay"]),
        trend_weight=float(parameters["trend"]),
        min_likes=int(parameters["min_likes"]),
    )
