"""The sizes of the published networks; their graphs ship with the package."""

from dataclasses import replace

from unbraid.models.htdemucs.config import HtdemucsConfig

PUBLISHED = {
    "4 stems": HtdemucsConfig(),  # htdemucs
    "4 stems, a network for each": replace(HtdemucsConfig(), networks=4),  # htdemucs_ft
    "6 stems": replace(HtdemucsConfig(), stems=6, bottom=0, hidden=1536),  # htdemucs_6s
}
