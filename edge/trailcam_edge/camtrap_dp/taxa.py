"""Scientific names of labels: those of the user, and those of the built-in bundle.

Source of the names: GBIF Backbone Taxonomy, https://doi.org/10.15468/39omei. A label that covers a group has the name
of the group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BUILTIN_BUNDLE = "animals10 "  # the name of the bundle, before its version
_BUILTIN = {
    "butterfly": ("Lepidoptera", "order"),
    "cat": ("Felis catus", "species"),
    "chicken": ("Gallus gallus", "species"),
    "cow": ("Bos taurus", "species"),
    "dog": ("Canis lupus familiaris", "subspecies"),
    "elephant": ("Elephantidae", "family"),
    "horse": ("Equus caballus", "species"),
    "sheep": ("Ovis aries", "species"),
    "spider": ("Araneae", "order"),
    "squirrel": ("Sciuridae", "family"),
}


@dataclass(frozen=True)
class Taxon:
    """A scientific name and its rank, None where the user gave the name."""

    name: str
    rank: str | None = None


def taxon_of(label: str, bundle: str, taxa: Mapping[str, str]) -> Taxon | None:
    """Return the scientific name of a label, None if there is none.

    Args:
        label: of a visit.
        bundle: that classified it; labels of the built-in one have names.
        taxa: names that the user gave to labels.
    """
    if label in taxa:
        return Taxon(taxa[label])
    return Taxon(*_BUILTIN[label]) if bundle.startswith(BUILTIN_BUNDLE) and label in _BUILTIN else None
