"""Licences: that of a model's weights, where it is stated, and what is known of the data behind them.

    terms = terms_of("spleeter:4stems", "MIT")
    terms.short          "MIT; data: Deezer's own catalogue of songs, not published"
    terms.use            "commercial"

`use` sums this up, as far as it is known, and is no legal advice. "commercial": the licence of the weights permits
commercial use, and no term of the data is known to forbid it. "unclear": the weights permit it, but data was used under
terms of its own, or nothing is stated. "non-commercial": the weights are not for commercial use.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from unbraid.errors import UsageError, quoted

Use = Literal["commercial", "unclear", "non-commercial"]
USES: tuple[Use, ...] = get_args(Use)
_FORBIDDING = ("-NC", "NONCOMMERCIAL", "NON-COMMERCIAL", "RESEARCH ONLY", "SCIENTIFIC PURPOSES")


@dataclass(frozen=True)
class Terms:
    """What the user of a published model has to know, besides the licence of the weights."""

    data: str  # that the weights were trained on, with its own terms where they are known
    use: Use
    stated: str = ""  # where the licence of the weights is stated, an address
    read: str = ""  # the date on which it was read there; empty: not read again
    note: str = ""  # for those who have to decide


UNKNOWN = Terms("", "unclear")


def own_terms(licence: str, *, packaged: bool) -> Terms:
    """The terms of a model that no publisher's entry describes: one of the package, or of the user's own."""
    if packaged:
        return Terms("open data, named in its provenance", "commercial")
    if any(word in licence.upper() for word in _FORBIDDING):
        return Terms("", "non-commercial")
    return UNKNOWN


def short(licence: str, terms: Terms) -> str:
    """Licence and data in one line."""
    return f"{licence}; data: {terms.data}" if terms.data else licence


def lines(licence: str, terms: Terms) -> list[str]:
    """All that is known, for people, a line for each fact."""
    read = f", read on {terms.read}" if terms.read else ""
    where = f" ({terms.stated}{read})" if terms.stated else ""
    known = [f"licence of the weights: {licence or 'none is stated'}{where}"]
    known += [f"training data: {terms.data}"] if terms.data else []
    known += [terms.note] if terms.note else []
    if terms.use == "unclear":
        known.append("Whether commercial use is allowed is unclear: ask the publisher, or a lawyer.")
    if terms.use == "non-commercial":
        known.append("It is not for commercial use.")
    return known


def check_use(name: str) -> Use:
    """The use of that name.

    Raises:
        UsageError: there is no such use.
    """
    for use in USES:
        if name == use:
            return use
    raise UsageError(f"--licence takes {', '.join(USES)}, not {quoted(name)}.")
