"""From the scores of many songs to a few numbers a stem."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from unbraid.evaluation.music.run import MusicEvaluation, SongResult
from unbraid.evaluation.music.scoring import BSS, USDR, Scale, State
from unbraid.evaluation.summary import INTERVAL, Cost, Statistic, numbers, price, statistic, total_cost

AVERAGE = "means and medians are over the songs that have the stem; SiSEC 2018 gives medians of BSS Eval 4"


@dataclass(frozen=True)
class StemLine:
    """The scores of one stem over all songs."""

    stem: str
    mixture: Statistic  # uSDR
    estimate: Statistic
    improvement: Statistic
    bss: tuple[tuple[Scale, Statistic], ...]  # empty where not asked for
    absent: int  # songs that lack it
    silent: int  # songs in which it cannot be heard
    alone: int  # songs in which nothing else can
    mute: int  # scored estimates that are silent

    @property
    def left_out(self) -> int:
        """Songs without a score of the stem."""
        return self.absent + self.silent + self.alone


@dataclass(frozen=True)
class MusicSetting:
    """What was evaluated, and how."""

    model: str
    stems: tuple[str, ...]
    sample_rate: int  # Hz
    dataset: str
    split: str
    wiener: int  # iterations
    precision: str
    device: str
    threads: int | None


@dataclass(frozen=True)
class MusicSummary:
    """Everything that is said about an evaluation of songs."""

    setting: MusicSetting
    lines: tuple[StemLine, ...]
    songs: int  # that were scored
    failed: tuple[str, ...]
    cost: Cost
    bss_frames: tuple[int, int]  # scored by BSS Eval, and in all

    @property
    def mean_improvement(self) -> float | None:
        """Mean of the stems' means."""
        means = [line.improvement.mean for line in self.lines if line.improvement.mean is not None]
        return fmean(means) if means else None


def summarise_songs(evaluation: MusicEvaluation, setting: MusicSetting, peak_memory_bytes: int | None) -> MusicSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    return MusicSummary(
        setting,
        tuple(_line(stem, results, evaluation.with_bss) for stem in setting.stems),
        len(results),
        tuple(failure.name for failure in evaluation.failures),
        total_cost(results, setting, peak_memory_bytes),
        (sum(result.bss_frames[0] for result in results), sum(result.bss_frames[1] for result in results)),
    )


def _line(stem: str, results: Sequence[SongResult], with_bss: bool) -> StemLine:
    scores = [score for result in results for score in result.stems if score.stem == stem]
    scored = [score for score in scores if score.state == "scored"]

    def count(state: State) -> int:
        return sum(score.state == state for score in scores)

    return StemLine(
        stem,
        statistic([score.mixture for score in scored]),
        statistic([score.estimate for score in scored]),
        statistic([score.improvement for score in scored]),
        tuple(
            (scale, statistic([score.bss[scale.name] for score in scored if scale.name in score.bss]))
            for scale in (BSS if with_bss else ())
        ),
        count("absent"),
        count("silent"),
        count("alone"),
        sum(score.is_mute for score in scored),
    )


def songs_as_json(summary: MusicSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    setting, mean = summary.setting, summary.mean_improvement
    return {
        "model": setting.model,
        "stems": list(setting.stems),
        "sample_rate": setting.sample_rate,
        "dataset": setting.dataset,
        "split": setting.split,
        "wiener": setting.wiener,
        "precision": setting.precision,
        "device": setting.device,
        "threads": setting.threads,
        "songs": summary.songs,
        "failed": list(summary.failed),
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [score for line in summary.lines for score in _line_as_json(line)],
        "mean_improvement_db": None if mean is None else round(mean, 4),  # of uSDR, over the stems
        "bss_eval_frames": dict(zip(("scored", "all"), summary.bss_frames, strict=True)),
        "average": AVERAGE,
        "interval": INTERVAL.replace("mixtures", "songs"),
        **price(summary.cost),
    }


def _line_as_json(line: StemLine) -> list[dict[str, Any]]:
    songs = {
        "songs_without_the_stem": line.absent,
        "songs_with_the_stem_silent": line.silent,
        "songs_with_the_stem_alone": line.alone,
        "silent_estimates": line.mute,
    }
    usdr = {"mixture": line.mixture, "estimate": line.estimate, "improvement": line.improvement}
    found: list[tuple[Scale, dict[str, Statistic]]] = [(USDR, usdr)]
    found += [(scale, {"estimate": summed}) for scale, summed in line.bss]
    return [
        {"stem": line.stem, "metric": scale.name, "variant": scale.variant, "unit": "dB"}
        | {name: numbers(summed) for name, summed in values.items()}
        | songs
        for scale, values in found
    ]
