"""Results in Python: stems that save, show and play themselves; transcripts as subtitles; tables."""

import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import unbraid
from unbraid import Stems, Transcript, audio
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.transcription.transcript import Word

RATE = 8000


@pytest.fixture
def stems() -> Stems:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE, dtype=np.float32)[None]
    return Stems({"voice": tone, "noise": 0.1 * tone[:, ::-1].copy()}, RATE)


def test_stems_are_a_dictionary(stems):
    assert isinstance(stems, dict)
    assert list(stems) == ["voice", "noise"]
    assert stems == dict(stems)
    again = pickle.loads(pickle.dumps(stems))
    assert (again.sample_rate, list(again)) == (RATE, list(stems))
    assert stems.chosen(["noise", "other"]) == {"noise": stems["noise"]}


def test_stems_save_themselves_exactly(stems, tmp_path):
    files = stems.save(tmp_path / "out")
    assert files == {name: tmp_path / "out" / f"{name}.wav" for name in stems}
    for name, path in files.items():
        samples, rate = audio.read(path)
        assert rate == RATE
        np.testing.assert_array_equal(samples, stems[name])
    with pytest.raises(UsageError, match="exists already; choose another folder, or set overwrite=True"):
        stems.save(tmp_path / "out")
    stems.save(tmp_path / "out", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["noise.wav", "voice.wav"]


def test_one_gain_keeps_stems_from_clipping(stems, tmp_path):
    loud = Stems({name: 4 * stem for name, stem in stems.items()}, RATE)
    files = loud.save(tmp_path, "flac")
    for name, path in files.items():
        np.testing.assert_allclose(audio.read(path)[0], stems[name] * 2, atol=2e-4)


def test_a_notebook_shows_and_plays_each(stems):
    page = stems._repr_html_()
    assert page.count("<img") == page.count("<audio") == 2
    assert "http" not in page


def test_stems_are_plotted_on_axes_of_hertz_and_seconds(stems):
    pytest.importorskip("matplotlib")
    plots = stems.plot().axes
    assert [plot.get_title() for plot in plots] == ["voice", "noise"]
    assert plots[-1].get_xlim() == (0, 1)
    assert plots[0].get_ylim() == pytest.approx((40, RATE / 2))


def test_plots_without_matplotlib(stems, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    told = r"^Plotting needs matplotlib, which is not installed; get it with `pip install matplotlib`\.$"
    with pytest.raises(RuntimeUnavailable, match=told):
        stems.plot()


def test_stems_are_played_at_their_rate(stems, monkeypatch):
    device, played = ModuleType("sounddevice"), []
    device.play = lambda samples, rate: played.append((samples.shape, rate))
    device.wait = lambda: None
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    stems.play("voice")
    assert played == [((RATE, 1), RATE)]
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'unbraid\[live\]'"):
        stems.play("voice")


def test_transcripts_are_subtitles_and_files(tmp_path):
    words = (Word("hello", 0.5, 1.0, 0.9), Word("there", 3.0, 3.5, 0.8))
    transcript = Transcript(words, "some")
    assert transcript.to_srt() == (
        "1\n00:00:00,500 --> 00:00:01,000\nhello\n\n2\n00:00:03,000 --> 00:00:03,500\nthere\n\n"
    )
    assert transcript.to_vtt().startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhello\n")
    assert '"model": "some"' in transcript.to_json()
    transcript.save(tmp_path / "a.srt")
    assert (tmp_path / "a.srt").read_text() == transcript.to_srt()
    with pytest.raises(UsageError, match="exists already; choose another name"):
        transcript.save(tmp_path / "a.srt")
    with pytest.raises(UsageError, match="A transcript is written as text, srt, vtt, json, textgrid, not as"):
        transcript.save(tmp_path / "a.doc")


class _Frame(list):
    """As much of a pandas.DataFrame as these tests need, where there is no pandas."""


def test_results_are_tables_where_pandas_is(monkeypatch):
    pandas = ModuleType("pandas")
    pandas.DataFrame = _Frame
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    from unbraid.corpora.rttm import Segment

    (row,) = Transcript((Word("hello", 0.5, 1.0, 0.9),), "some").to_pandas()
    assert row == {"text": "hello", "start": 0.5, "end": 1.0, "confidence": 0.9, "voice": None}
    (row,) = Conversation(("anna",), (Segment(1.0, 2.0, "anna", 0.9),), 3.0).to_pandas()
    assert (row["speaker"], row["start"], row["confidence"]) == ("anna", 1.0, 0.9)
    models = unbraid.models()
    assert [row["name"] for row in models.to_pandas()] == list(models.names)
    assert {"model", "score", "value"} == set(models.scores_to_pandas()[0])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RuntimeUnavailable, match="get it with `pip install pandas`"):
        models.to_pandas()


@pytest.mark.parametrize("first", ["", "import unbraid.models.unet.config;"])
def test_models_are_listed_by_a_call_whatever_was_imported(first):
    program = f"import unbraid; {first} print('speech' in unbraid.models().names, unbraid.list_models()[0].name != '')"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "True True\n"


def test_only_the_stems_that_were_asked_for_come_back():
    silence = np.zeros((1, RATE), np.float32)
    silence[0, ::100] = 0.1
    found = unbraid.separate(silence, "music-2", sample_rate=RATE, stems=["vocals"])
    assert (list(found), found.sample_rate, found["vocals"].shape) == (["vocals"], RATE, (1, RATE))
    with pytest.raises(UsageError, match="music-2 has no stem 'vocal', .*did you mean vocals"):
        unbraid.separate(silence, "music-2", sample_rate=RATE, stems=["vocal"])
    with pytest.raises(UsageError, match="int8"):
        unbraid.separate(silence, "music-2", sample_rate=RATE, precision="int8")


def test_paths_are_where_they_were_named(stems, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert stems.save("out", "wav")["voice"] == Path("out/voice.wav")
