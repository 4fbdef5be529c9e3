"""The verdict on a whole export in one or two sentences, for the person who decides whether to ship it."""

from collections.abc import Sequence
from dataclasses import dataclass

from trailcam_export.gate.criteria import Verdict, round_up
from trailcam_export.report.findings import Findings


@dataclass(frozen=True)
class VariantVerdict:
    """The verdict on one variant.

    Attributes:
        name: for example ``int8``.
        verdict: of the gate.
        suspicious: whether the gate warns of something.
        beyond: whether a measured value misses its bound, though chance alone could explain that.
        pictures_needed: the number of test pictures that would decide it; None if unknown, or if it is decided.
        unproven_loss: the largest loss that too few pictures allow, though no answer on them differs; otherwise None.
    """

    name: str
    verdict: Verdict
    suspicious: bool
    pictures_needed: int | None
    beyond: bool = False
    unproven_loss: float | None = None


def describe_findings(findings: Findings) -> str:
    """Return the verdict on the files that are shipped: without one that a repaired file replaces."""
    replaced = findings.fix.of if findings.fix is not None and findings.fixed is not None else None
    variants = [
        VariantVerdict(
            variant.name,
            variant.gate.verdict,
            bool(variant.gate.warnings),
            variant.gate.pictures_needed,
            any(criterion.is_beyond for criterion in variant.gate.criteria),
            variant.gate.unproven_loss,
        )
        for variant in findings.variants
        if variant.name != replaced
    ]
    return describe_verdict(variants, findings.variants[0].drift.reference.n)


def describe_verdict(variants: Sequence[VariantVerdict], n: int) -> str:
    """Return the verdict on all variants.

    Args:
        variants: at least one.
        n: number of test pictures.
    """
    failed = [variant for variant in variants if variant.verdict is Verdict.FAIL]
    unproven = [variant for variant in variants if variant.verdict is Verdict.INCONCLUSIVE]
    sentences = []
    if failed:
        sentences.append(f"Do not ship {_names(failed)}: too many answers differ from the trained model's.")
    passed = [v for v in variants if v.verdict is Verdict.PASS and v.unproven_loss is None]
    identical = [v for v in variants if v.verdict is Verdict.PASS and v.unproven_loss is not None]
    if passed:
        sentences.append(f"You may ship {_names(passed)}: the loss is proven to be within the bounds.")
    if identical:
        loss = max(variant.unproven_loss or 0.0 for variant in identical)
        sentences.append(
            f"You may ship {_names(identical)}: no answer differs on {n:,} test pictures; the interval of the loss is "
            f"0 to {loss:.1%}."
        )
    if unproven:
        sentences.append(_describe_unproven(unproven, n))
    return " ".join(sentences)


def _describe_unproven(variants: Sequence[VariantVerdict], n: int) -> str:
    beyond = [variant for variant in variants if variant.beyond]
    if beyond:
        found = f"What was measured for {_names(beyond)} misses a bound; measure more before you ship it."
    elif any(variant.suspicious for variant in variants):
        found = f"There is a warning about {_names([v for v in variants if v.suspicious])}: read it before you ship."
    else:
        found = "Nothing suspicious was seen; you may ship it."
    needed = [variant.pictures_needed for variant in variants]
    known = [number for number in needed if number is not None]
    proof = f" About {round_up(max(known)):,} would do." if known and len(known) == len(needed) else ""
    return f"{n:,} test pictures are too few to prove the bounds for {_names(variants)}. {found}{proof}"


def _names(variants: Sequence[VariantVerdict]) -> str:
    names = [variant.name for variant in variants]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
