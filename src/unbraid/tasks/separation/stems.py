"""Separated audio in memory: a dictionary of stems that knows its sample rate, and saves, shows and plays itself."""

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unbraid.audio import choose_format, write
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import RuntimeUnavailable, UsageError, lacking
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors, temporary_folder
from unbraid.tasks.pages.document import data_uri, image
from unbraid.tasks.pages.lane import LOWEST_HZ, decibels, spectrogram, top_hz
from unbraid.tasks.pages.picture import RANGE_DB, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Stems(dict[str, FloatArray]):
    """Stems by name, each float32 (C, T) at `sample_rate` in Hz; a dictionary in every other way.

    A notebook shows each as a spectrogram and a player.
    """

    def __init__(self, stems: Mapping[str, FloatArray] | Iterable[tuple[str, FloatArray]], sample_rate: int) -> None:
        super().__init__(stems)
        self.sample_rate = sample_rate

    def chosen(self, names: Iterable[str]) -> "Stems":
        """Those of these stems that there are, in the order of this dictionary."""
        wanted = set(names)
        return Stems({name: stem for name, stem in self.items() if name in wanted}, self.sample_rate)

    def save(
        self,
        folder: str | os.PathLike[str],
        format: str = "wav",
        *,
        subtype: str | None = None,
        bitrate: int | None = None,
        overwrite: bool = False,
    ) -> dict[str, Path]:
        """Write each stem to FOLDER/NAME.FORMAT, and return the files.

        Wav is float32 and flac 24 bits unless `subtype` says otherwise. Where the format would clip, all stems are
        turned down by one gain, as by `unbraid separate`.

        Raises:
            UsageError: there is no such format, or a file exists and `overwrite` is not set.
            AudioError: the format cannot hold the rate or the channels, or the disk refuses.
        """
        fmt, folder = choose_format(format, subtype=subtype, bitrate=bitrate), Path(folder)
        files = {name: folder / f"{name}.{fmt.name}" for name in self}
        for path in files.values():
            if not overwrite and os.path.lexists(path):
                raise UsageError(f"{path} exists already; choose another folder, or set overwrite=True.")
        peak = max((float(np.abs(stem).max(initial=0)) for stem in self.values()), default=0.0)
        gain = np.float32(1 / max(peak, 1.0) if fmt.clips else 1.0)
        for name, path in files.items():
            with disk_errors(folder, ""), appearing(path, replace=overwrite) as fresh:
                write(fresh, self[name] * gain, self.sample_rate, fmt)
        return files

    def play(self, name: str) -> None:
        """Play a stem over the default loudspeakers, to its end; needs the extra `live`.

        Raises:
            KeyError: there is no such stem.
            RuntimeUnavailable: sounddevice is not installed.
        """
        stem = self[name]
        try:
            import sounddevice
        except (ModuleNotFoundError, OSError):  # OSError: without the library PortAudio
            raise RuntimeUnavailable(
                "Playing needs sounddevice and PortAudio, which are not installed; get them with "
                "`pip install 'unbraid[live]'`."
            ) from None
        sounddevice.play(stem.T, self.sample_rate)
        sounddevice.wait()

    def plot(self) -> "Figure":
        """Spectrograms of all stems, on one scale of decibels, below each other; needs matplotlib.

        Raises:
            RuntimeUnavailable: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ModuleNotFoundError:
            raise lacking("Plotting", "matplotlib", get="matplotlib") from None
        shown, top_db = self._spectrograms()
        figure = Figure(figsize=(9, 1 + 1.8 * len(self)), layout="constrained")
        plots = figure.subplots(len(self), 1, sharex=True, squeeze=False)[:, 0]
        for plot, (name, power) in zip(plots, shown.items(), strict=True):
            seconds = self[name].shape[1] / self.sample_rate
            times = np.linspace(0, seconds, power.shape[1] + 1)
            hertz = np.geomspace(LOWEST_HZ, top_hz(self.sample_rate), power.shape[0] + 1)
            plot.pcolormesh(times, hertz, decibels(power), cmap="magma", vmin=top_db - RANGE_DB, vmax=top_db)
            plot.set(yscale="log", title=name, ylabel="Hz")
        plots[-1].set_xlabel("s")
        return figure

    def _repr_html_(self) -> str:
        """A spectrogram and a player of each stem, for notebooks."""
        shown, top_db = self._spectrograms()
        return "".join(
            f"<figure><figcaption>{escape(name)}</figcaption>"
            f"{image(picture(power, top_db), f'Spectrogram of {name}', 'width: 100%; height: 7rem')}"
            f'<audio controls style="width: 100%" src="{data_uri("audio/flac", self._flac(name))}"></audio></figure>'
            for name, power in shown.items()
        )

    def _spectrograms(self) -> tuple[dict[str, FloatArray], float]:
        """Power (R, columns) of each stem, and the loudest of all in dB."""
        shown = {name: spectrogram(stem, self.sample_rate) for name, stem in self.items()}
        return shown, max((float(decibels(power).max()) for power in shown.values()), default=0.0)

    def _flac(self, name: str) -> bytes:
        with temporary_folder() as folder:
            file = Stems({name: self[name]}, self.sample_rate).save(folder, "flac", subtype="16")[name]
            return file.read_bytes()


def joined(blocks: Sequence[dict[str, FloatArray]], sample_rate: int) -> Stems:
    """Whole stems (C, T) of their blocks (C, n)."""
    whole = {stem: np.concatenate([block[stem] for block in blocks], axis=-1) for stem in blocks[0]}
    return Stems(whole, sample_rate)
