"""Files that others made end in a sentence, within two seconds and 300 MB, whatever they ask for."""

from pathlib import Path

import pytest
from hostile_checkpoints import CASES, LAUGHS, RECORDS
from measured_reading import MOST_MB, MOST_SECONDS, Outcome, read_all

from unbraid.corpora import medleydb, slakh
from unbraid.errors import UsageError

EVERY = [(reader, kind) for reader, kinds in CASES.items() for kind in kinds]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What comes of all of them, read in one process."""
    folder = tmp_path_factory.mktemp("hostile")
    for reader, kinds in (CASES | {"record": RECORDS}).items():
        for kind, write in kinds.items():
            place = folder / f"{reader}, {kind}"
            place.mkdir()
            (place / "reader").write_text(reader)
            write(place)
    return read_all(folder)


@pytest.mark.parametrize(("reader", "kind"), EVERY, ids=lambda value: value)
def test_a_hostile_file_ends_in_a_sentence(outcomes: dict[str, Outcome], reader: str, kind: str) -> None:
    outcome = outcomes[f"{reader}, {kind}"]
    assert outcome.told.startswith(("ModelError: ", "SpecError: ", "UsageError: "))
    assert len(outcome.told) < 600
    assert outcome.seconds < MOST_SECONDS
    assert outcome.more_mb < MOST_MB


@pytest.mark.parametrize("kind", RECORDS)
def test_a_hostile_record_is_no_record(outcomes: dict[str, Outcome], kind: str) -> None:
    outcome = outcomes[f"record, {kind}"]
    assert (outcome.told, outcome.seconds < MOST_SECONDS, outcome.more_mb < MOST_MB) == ("read", True, True)


def test_a_list_of_stems_may_hold_anything_but_says_little(tmp_path: Path) -> None:
    """What is shared a thousand times over is not written out when it stands where a name belongs."""
    (tmp_path / "stems").mkdir()
    for text in (
        f"{LAUGHS}stems:\n  S00: {{inst_class: *a8, filename: *a8, instrument: *a8}}\n",
        f"stems:\n  {'x' * 5000}: {{filename: a.wav}}\n",
        f"stems:\n  S00: {{filename: {'x' * 5000}}}\n",
        'stems:\n  S00: {filename: "a\\0b"}\n',
    ):
        (tmp_path / "metadata.yaml").write_text(text)
        (tmp_path / f"{tmp_path.name}_METADATA.yaml").write_text(text)
        for read in (lambda: slakh._song(tmp_path), lambda: medleydb._song(tmp_path, tmp_path)):
            with pytest.raises(UsageError) as caught:
                read()
            assert len(str(caught.value).replace("x" * 5000, "")) < 600
