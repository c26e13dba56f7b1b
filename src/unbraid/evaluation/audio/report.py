"""The scores of an audio-to-audio model: summed up, as JSON, for a terminal, per recording, and as a page."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from unbraid.evaluation.audio.run import LSD, STOI, SoundResult, baseline
from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.statistics import INTERVAL, Gain, gain_of
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, number, text

TITLES = {LSD: ("log-spectral distance of log-mel spectrograms", "dB", 2), STOI: ("STOI (classic, 10 kHz)", "", 3)}


def report(evaluation: Evaluation[SoundResult], setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, failures, noise = evaluation.results, evaluation.failures, setting.request.noise_words()
    cost, states, compared_to = total_cost(results, setting), Counter(r.state for r in results), baseline(setting.spec)
    scored = {key: [result.scores[key] for result in results if key in result.scores] for key in TITLES}
    gains = {key: gain_of([(each.without, each.model) for each in scores]) for key, scores in scored.items() if scores}
    subject = f"{setting.title}: {len(results)} recordings, {cost.length}{f', with {noise}' if noise else ''}"
    notes = [INTERVAL]
    if count := states["silent"] + states["alone"]:
        why = f"{states['silent']} with a silent voice, {states['alone']} with nothing but the voice"
        notes.append(f"{count} of {len(results)} recordings left out ({why})")
    values = {
        **setting.as_json(failures),
        "noise": noise,
        "compared_to": compared_to,
        "recordings": len(results),
        "silent_recordings": states["silent"],
        "recordings_without_noise": states["alone"],
        "scores": [_as_json(key, gain) for key, gain in gains.items()],
        "interval": INTERVAL,
        **cost.as_json(),
    }
    scores, recordings = _scores(gains, compared_to), table(results)
    page = scores_page.scores_page(
        setting.title,
        f"{subject}. {cost.line('network')}",
        [_tile(key, gain, compared_to) for key, gain in gains.items()],
        [
            scores_page.section("Scores", scores.html(), scores_page.notes(*notes)),
            scores_page.sortable("Every recording", recordings),
            scores_page.failures(failures, "recordings"),
        ],
    )
    lines = [subject, *scores.lines(), *notes, cost.line("network")]
    return Report(values, lines, "recordings", recordings, page)


def _share(gain: Gain) -> float | None:
    """The change of the mean in percent of the baseline."""
    before, after = gain.mixture.mean, gain.estimate.mean
    return None if not before or after is None else 100 * (after / before - 1)


def _as_json(key: str, gain: Gain) -> dict[str, Any]:
    title, unit, _ = TITLES[key]
    share = _share(gain)
    return {
        "metric": title,
        "unit": unit,
        "without": gain.mixture.as_json(),
        "model": gain.estimate.as_json(),
        "change": gain.improvement.as_json(),
        "change_percent": None if share is None else round(share, 2),
    }


def _scores(gains: Mapping[str, Gain], compared_to: str) -> Table:
    heads = ("metric", compared_to, "model", "change", "95 % interval", "change in %", "n")
    rows = []
    for key, gain in gains.items():
        title, unit, digits = TITLES[key]
        rows.append([
            text(title + (f", {unit}" if unit else "")),
            cell(gain.mixture.mean, digits),
            cell(gain.estimate.mean, digits),
            cell(gain.improvement.mean, digits, sign=True),
            text(gain.improvement.between(digits)),
            cell(_share(gain), 1, sign=True),
            text(gain.improvement.n),
        ])  # fmt: skip
    return Table([Column(head, head) for head in heads], rows)


def table(results: Sequence[SoundResult]) -> Table:
    """A row for each recording."""
    keys = [key for key in TITLES if any(key in result.scores for result in results)]
    columns = [Column("name", "recording"), Column("seconds", "length in s")]
    for key in keys:
        columns += [Column(f"{key}_without", f"{key.upper()} without"), Column(key, f"{key.upper()} model")]
    rows = []
    for result in results:
        row = [text(result.name), cell(result.seconds, 2, exact=3)]
        for key in keys:
            pair = result.scores.get(key)  # None: the recording is left out
            both = (math.nan, math.nan) if pair is None else (pair.without, pair.model)
            row += [cell(value, TITLES[key][2]) for value in both]
        rows.append([*row, text(result.state)])
    return Table([*columns, Column("voice", "")], rows)


def _tile(key: str, gain: Gain, compared_to: str) -> str:
    title, unit, digits = TITLES[key]
    value = number(gain.estimate.mean, digits) + (f" {unit}" if unit else "")
    beside = f"{compared_to}: {number(gain.mixture.mean, digits)}; n = {gain.estimate.n}"
    return scores_page.tile(key.upper(), value, beside, title)
