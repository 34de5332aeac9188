"""Where ratings come from: a dataset by its name, or files in GroupLens' format."""

from contextlib import suppress
from pathlib import Path

from movielens_api.catalogue import Catalogue
from movielens_api.datasets import grouplens, named, sample, synthetic
from movielens_api.datasets.naming import file_name
from movielens_api.datasets.options import Options
from movielens_api.datasets.source import FolderSource, Source, ZipSource
from movielens_api.errors import StartupError

NAMES = ", ".join(["sample", *named.MD5, "synthetic:N"])


def load(dataset: str, options: Options | None = None) -> Catalogue:
    """Load a dataset into memory.

    Args:
        dataset: one of `NAMES` (`synthetic:N:SEED` too), or the path of a folder or a zip with `ratings.csv` and
            `movies.csv`.
        options: where files are kept, how much damage is borne, who hears of it.

    Raises:
        StartupError: there is no such dataset, or it is not installed.
        DamagedDatasetError: a file does not hold what it should.
    """
    options = options or Options()
    if dataset == "sample":
        return sample.load()
    if invented := synthetic.parse(dataset):
        return synthetic.load(*invented)
    if dataset in named.MD5:
        return _load_files(ZipSource(named.fetch(dataset, options)), dataset, options)
    return _load_files(_source(dataset), dataset, options)


def _source(dataset: str) -> Source:
    path = Path(dataset)
    if path.is_dir():
        return FolderSource(path)
    if path.suffix == ".zip" and path.is_file():
        return ZipSource(path)
    raise StartupError(f"unknown dataset {dataset!r}: neither one of the names ({NAMES}) nor a folder nor a zip")


def _load_files(source: Source, name: str, options: Options) -> Catalogue:
    catalogue, damage = grouplens.load(source, name, options.max_damaged)
    quarantine = options.data_dir / "quarantine" / f"{file_name(source.path)}-ratings.csv"
    if damage.rows.height:
        options.tell(damage.set_aside(quarantine))
    else:
        with suppress(OSError):
            quarantine.unlink()
    return catalogue
