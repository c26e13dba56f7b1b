"""Licences of models: each published one says where it is stated, what it was trained on, and what that means."""

import datetime
import re

import pytest

from unbraid.errors import UsageError
from unbraid.hub import names
from unbraid.hub.catalogue import catalogue, terms_of
from unbraid.hub.licences import USES, Terms, check_use, lines, short

PUBLISHED = catalogue().published


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_entry_says_where_its_licence_is_stated_and_what_is_known_of_its_data(name: str) -> None:
    entry = PUBLISHED[name]
    assert re.fullmatch(r"https://\S+", entry.terms.stated)
    assert entry.terms.data
    assert entry.terms.use in USES
    assert entry.licence
    if entry.terms.read:
        datetime.date.fromisoformat(entry.terms.read)


def test_data_under_terms_of_its_own_makes_commercial_use_unclear() -> None:
    for name, entry in PUBLISHED.items():
        restricted = any(word in entry.terms.data for word in ("WSJ0", "BY-NC", "not for commercial use", "MUSDB18"))
        assert not (restricted and entry.terms.use == "commercial"), name


def test_a_model_has_the_terms_of_its_publisher_its_package_or_its_licence() -> None:
    assert terms_of("spleeter:4stems", "MIT").stated == "https://doi.org/10.21105/joss.02154"
    assert terms_of("music-4", "CC BY-SA 4.0").use == "commercial"
    assert terms_of("mine", "MIT").use == "unclear"  # what it was trained on, we do not know
    assert terms_of("theirs", "CC BY-NC 4.0").use == "non-commercial"


def test_a_list_can_be_read_by_use() -> None:
    uses = {entry.name: entry.use for entry in names.entries()}
    assert uses["speechbrain/sepformer-wsj02mix"] == "unclear"
    assert uses["speechbrain/sepformer-libri2mix"] == "commercial"
    assert uses["speech"] == "commercial"


def test_all_facts_are_told_in_sentences() -> None:
    terms = Terms("WSJ0", "unclear", "https://example.org/card", "2026-11-29", "The card was changed.")
    assert short("Apache-2.0", terms) == "Apache-2.0; data: WSJ0"
    assert lines("Apache-2.0", terms) == [
        "licence of the weights: Apache-2.0 (https://example.org/card, read on 2026-11-29)",
        "training data: WSJ0",
        "The card was changed.",
        "Whether commercial use is allowed is unclear: ask the publisher, or a lawyer.",
    ]
    assert lines("", Terms("", "non-commercial")) == [
        "licence of the weights: none is stated", "It is not for commercial use.",
    ]  # fmt: skip


def test_another_use_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--licence takes commercial, unclear, non-commercial, not 'free'\."):
        check_use("free")
