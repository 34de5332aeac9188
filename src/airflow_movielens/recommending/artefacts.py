"""Models in files: a zip archive of a JSON header and NumPy arrays; see docs/model-format.md."""

from __future__ import annotations

import json
import math
import mmap
import struct
import zlib
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from airflow_movielens import __version__
from airflow_movielens.ratings.atomic_files import whole_file
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.messages import printable, shown
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.model import Model, TrainingData
from airflow_movielens.recommending.parameters import ModelParameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

FORMAT = "airflow-movielens-model"
FORMAT_VERSION = 1

_HEADER = "header.json"
_DTYPES = {
    "movies": "int32",
    "trend": "float32",
    "other_movies": "int32",
    "other_trend": "float32",
    "matrix": "float32",
}
_FIRST_BYTES = b"PK\x03\x04"
_BYTES_AT_ONCE = 2**20
# Arrays begin at multiples of it, so that they can be memory mapped. NumPy's own header has such a length.
_ALIGNMENT = 64
# Of a member: the fixed part of its header, the field of ZIP64, and the field of the padding without the padding.
_LOCAL_HEADER = 30 + 20 + 6
_PADDING_FIELD = 0xD935
# In the fixed part: the lengths of the name and of the fields behind it.
_LENGTHS_AT = 26
# What reading a damaged archive raises.
_DAMAGE = (
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def save_model(model: Model, path: Path) -> None:
    """Write a model to a file, which appears whole or not at all."""
    with whole_file(path) as partial:
        write_model(model, partial)


def write_model(model: Model, path: Path) -> None:
    """Write a model to a file; the same model always gives the same bytes."""
    import numpy as np

    catalogue = model.catalogue
    arrays = {
        "movies": catalogue.movies,
        "trend": catalogue.trend,
        "other_movies": catalogue.other_movies,
        "other_trend": catalogue.other_trend,
        "matrix": model.matrix,
    }
    contiguous = {
        name: np.ascontiguousarray(array, np.dtype(_DTYPES[name]).newbyteorder("<")) for name, array in arrays.items()
    }
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "parameters": asdict(model.parameters),
        "parameter_choice": model.parameter_choice,
        "trained_on": asdict(model.trained_on),
        "arrays": {name: _description(array) for name, array in contiguous.items()},
    }
    with path.open("wb") as file, ZipFile(file, "w") as archive:
        # A ZipInfo of its own has a fixed date instead of the current time.
        archive.writestr(ZipInfo(_HEADER), json.dumps(header, indent=2))
        for name, array in contiguous.items():
            with archive.open(_aligned(ZipInfo(f"{name}.npy"), file.tell()), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_model(path: str | Path) -> Model:
    """Read a model from a file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no model, is damaged, or was written in a newer format.
    """
    with _opened(Path(path)) as (archive, header):
        return _model(header, {name: _read(archive, name, header["arrays"][name]) for name in _DTYPES})


def map_model(path: str | Path) -> Model:
    """Open a model for a few users: its matrix is memory mapped, so that only what they need of it is read.

    The checksum of the matrix is not verified, because that would read all of it; `load_model` verifies it. Those of
    the other arrays are verified. A matrix that another program compressed, or did not align, is read whole.

    The file must not be changed while the model is used; one of a registry never is.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no model, is damaged, or was written in a newer format.
    """
    with _opened(Path(path)) as (archive, header):
        others = {name: _read(archive, name, header["arrays"][name]) for name in _DTYPES if name != "matrix"}
        return _model(header, others | {"matrix": _mapped(archive, "matrix", header["arrays"]["matrix"])})


def read_header(path: str | Path) -> dict[str, Any]:
    """Read the header of a model's file, without the model itself.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no model, is damaged, or was written in a newer format.
    """
    with _opened(Path(path)) as (_, header):
        return header


class _OtherFormatError(ValueError):
    """The file is no damaged model but something else."""


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ZipFile, dict[str, Any]]]:
    """Open a model's file, and say of all that is wrong with its content that it is damaged."""
    with path.open("rb") as file:
        if file.read(len(_FIRST_BYTES)) != _FIRST_BYTES:
            raise _OtherFormatError(f"{path} holds no model: give a file that Model.save wrote")
        try:
            with ZipFile(file) as archive:
                yield archive, _header(archive, path)
        except _OtherFormatError:
            raise
        except _DAMAGE as error:
            raise ValueError(f"{path} is damaged ({printable(str(error))}): save or copy the model again") from error


def _header(archive: ZipFile, path: Path) -> dict[str, Any]:
    header = parse_json(archive.read(_HEADER)) if _HEADER in archive.namelist() else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _OtherFormatError(f"{path} holds no model: give a file that Model.save wrote")
    version = header["format_version"]
    if version != FORMAT_VERSION:
        raise _OtherFormatError(
            f"{path} has version {shown(version)} of the model format, written by airflow-movielens "
            f"{header.get('package_version')}; this is {__version__}, which reads version {FORMAT_VERSION}: "
            "install a later one"
        )
    return header


def _model(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Model:
    """Return the model of a file's header and arrays, once their shapes are checked."""
    size, others = len(arrays["movies"]), len(arrays["other_movies"])
    shapes = {"trend": (size,), "other_trend": (others,), "matrix": (size, size)}
    if wrong := [name for name, shape in shapes.items() if arrays[name].shape != shape]:
        raise ValueError(f"the shapes of {', '.join(wrong)} do not fit the movies")
    return Model(
        ModelParameters(**header["parameters"]),
        Catalogue(*(arrays[name] for name in ("movies", "trend", "other_movies", "other_trend"))),
        arrays["matrix"],
        TrainingData(**header["trained_on"]),
        header["parameter_choice"],
    )


def _aligned(member: ZipInfo, place: int) -> ZipInfo:
    """Pad the header of a member at a place of the archive, as Android's zipalign does, so that it is aligned."""
    padding = -(place + _LOCAL_HEADER + len(member.filename)) % _ALIGNMENT
    member.extra = struct.pack(f"<HHH{padding}x", _PADDING_FIELD, 2 + padding, _ALIGNMENT)
    return member


def _mapped(archive: ZipFile, name: str, description: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Memory map an array, or read one that cannot be mapped."""
    import numpy as np

    member, size = _member(archive, name, description)
    # This checks the header of the member.
    with archive.open(member):
        pass
    content = mmap.mmap(archive.fp.fileno(), 0, access=mmap.ACCESS_READ)  # type: ignore[union-attr]
    # A column of the matrix is in all parts of the file: without this, all of it would be read ahead.
    content.madvise(mmap.MADV_RANDOM)
    fields = struct.unpack_from("<HH", content, member.header_offset + _LENGTHS_AT)
    start = member.header_offset + _LENGTHS_AT + struct.calcsize("<HH") + sum(fields) + member.file_size - size
    array = np.ndarray(description["shape"], np.dtype(_DTYPES[name]).newbyteorder("<"), content, start)
    return array if member.compress_type == ZIP_STORED and array.flags.aligned else _read(archive, name, description)


def _read(archive: ZipFile, name: str, description: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Read an array, and check that it is the one that was written."""
    import numpy as np

    member, size = _member(archive, name, description)
    array = np.empty(description["shape"], np.dtype(_DTYPES[name]).newbyteorder("<"))
    content, place = _content(array), 0
    with archive.open(member) as file:
        # NumPy's own header: the shape and the dtype are known.
        file.read(member.file_size - size)
        while part := file.read(_BYTES_AT_ONCE):
            content[place : place + len(part)] = part
            place += len(part)
    if sha256(content).hexdigest() != description["sha256"]:
        raise ValueError(f"{name} has another checksum")
    return array


def _member(archive: ZipFile, name: str, description: Mapping[str, Any]) -> tuple[ZipInfo, int]:
    """Return the member of an archive that holds an array, and the array's size in bytes."""
    import numpy as np

    member = archive.getinfo(f"{name}.npy")
    size = np.dtype(_DTYPES[name]).itemsize * math.prod(description["shape"])
    if not 0 <= size <= member.file_size:
        raise ValueError(f"{name} is shorter than its shape")
    return member, size


def _description(array: npt.NDArray[Any]) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": array.dtype.name, "sha256": sha256(_content(array)).hexdigest()}


def _content(array: npt.NDArray[Any]) -> memoryview:
    """Return the bytes of an array in C order."""
    return array.reshape(-1).view("uint8").data
