"""Fixtures of the training tests: a corpus, a recipe for it, and the makers of the published layouts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for needed in ("torch", "lightning", "tensorboard"):
    pytest.importorskip(needed)
for neighbour in ("corpora", "hub/importers"):  # corpora_trees, published_writers
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))

from train_helpers import (  # noqa: E402
    RECIPE,
    SONGS_RECIPE,
    WORDS_RECIPE,
    write_corpus,
    write_dictionary,
    write_recipe,
    write_songs,
)


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """The networks are too small for more, and runs in several processes are compared to the last bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of speakers with a manifest. Not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with longer recordings, of which mixtures of one voice can be drawn. Not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("voices") / "corpus", seconds=1.2)


@pytest.fixture
def recipe_file(tmp_path: Path, corpus: Path) -> Path:
    """A recipe that trains on it."""
    return write_recipe(tmp_path / "tiny.toml", RECIPE, "corpus", corpus)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of songs. Not to be changed."""
    return write_songs(tmp_path_factory.mktemp("music") / "songs")


@pytest.fixture
def songs_recipe_file(tmp_path: Path, songs: Path) -> Path:
    """A recipe that trains on them."""
    path = tmp_path / "songs.toml"
    path.write_text(SONGS_RECIPE.replace('"songs"]', f'"{songs}"]'))
    return path


@pytest.fixture
def words_recipe_file(tmp_path: Path) -> Path:
    """A recipe that trains on words."""
    return write_recipe(tmp_path / "words.toml", WORDS_RECIPE, "cmudict.dict", write_dictionary(tmp_path))
