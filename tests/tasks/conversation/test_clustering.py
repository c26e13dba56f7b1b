"""Clustering embeddings into people."""

import numpy as np
import pytest

from unbraid.tasks.conversation import clustering
from unbraid.tasks.conversation.clustering import Limits, cluster


def voices(people: int, each: int, spread: float = 0.5, features: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (P, D) of people in turn, and whose they are."""
    random = np.random.default_rng(people)
    centres = np.linalg.qr(random.normal(size=(features, features)))[0][:people]
    whose = np.arange(people * each) % people
    found = centres[whose] + spread * random.normal(size=(len(whose), features)) / np.sqrt(features)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), whose


def same(labels: np.ndarray, whose: np.ndarray) -> bool:
    """Whether two partitions are one, whatever the numbers."""
    return bool(((labels[:, None] == labels) == (whose[:, None] == whose)).all())


@pytest.mark.parametrize("people", [1, 2, 5])
def test_people_are_found(people: int) -> None:
    embeddings, whose = voices(people, 20)
    assert same(cluster(embeddings, np.ones(len(whose), np.float32), {}, Limits(0.4)), whose)


@pytest.mark.parametrize(("limits", "count"), [(Limits(0.4, most=2), 2), (Limits(0.0, fewest=4), 4)])
def test_bounds_are_kept(limits: Limits, count: int) -> None:
    embeddings, whose = voices(4, 10)
    assert len(set(cluster(embeddings, np.ones(len(whose), np.float32), {}, limits))) == count


def test_little_speech_does_not_count_as_a_person() -> None:
    embeddings, whose = voices(3, 10)
    weights = np.where(whose == 2, 0.1, 1).astype(np.float32)
    labels = cluster(embeddings, weights, {}, Limits(0.4, most=2, least_weight=5))
    assert same(labels, whose)  # the two who count are not merged to make room for the third


def test_voices_at_once_are_two_people() -> None:
    alike = np.array([[1, 0], [0.8, 0.6]], np.float32)
    weights = np.ones(2, np.float32)
    assert len(set(cluster(alike, weights, {}, Limits(0.7)))) == 1
    assert len(set(cluster(alike, weights, {(0, 1): 0.2}, Limits(0.7)))) == 2


def test_a_long_recording_is_clustered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "MOST_ITEMS", 30)
    embeddings, whose = voices(3, 40)
    weights = np.random.default_rng(0).uniform(1, 3, len(whose)).astype(np.float32)
    penalties = {(i, i + 1): 0.2 for i in range(0, len(whose) - 1, 7)}
    assert same(cluster(embeddings, weights, penalties, Limits(0.4)), whose)


def test_merging_agrees_with_mean_likeness_of_all_pairs() -> None:
    """Against average linkage by its definition."""
    random = np.random.default_rng(3)
    embeddings = random.normal(size=(12, 4)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    weights = random.uniform(1, 4, 12).astype(np.float32)
    groups = [[i] for i in range(12)]
    while True:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a)]
        means = [np.average(embeddings[g], axis=0, weights=weights[g]) for g in groups]
        a, b = max(pairs, key=lambda pair: means[pair[0]] @ means[pair[1]])
        if means[a] @ means[b] < 0.3:
            break
        groups = [g for k, g in enumerate(groups) if k not in (a, b)] + [groups[a] + groups[b]]
    whose = np.array([next(k for k, g in enumerate(groups) if i in g) for i in range(12)])
    assert same(cluster(embeddings, weights, {}, Limits(0.3)), whose)
