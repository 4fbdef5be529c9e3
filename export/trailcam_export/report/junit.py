"""The verdicts as JUnit XML, which every CI server shows: one test case per variant and criterion.

    pass          a test case with nothing in it
    fail          <failure>, its message is the reason
    inconclusive  <skipped>, its message is the reason with the number of pictures; <failure> on request

Source: the schema that Jenkins' xUnit plugin checks against (junit-10.xsd), which GitLab and others read as well.
"""

from xml.etree import ElementTree

from trailcam_export.gate.criteria import CriterionResult, Verdict
from trailcam_export.report.findings import Findings, VariantFindings


def junit_to_bytes(findings: Findings, inconclusive_fails: bool = False) -> bytes:
    """Return the XML file; a failed variant that a fixed one replaces counts as skipped.

    Args:
        findings: of an export.
        inconclusive_fails: whether an inconclusive criterion is a failure.
    """
    root = ElementTree.Element("testsuites", name=f"drift gate {findings.preset.name}")
    for variant in findings.variants:
        replaced = findings.fix is not None and findings.fixed is not None and variant.name == findings.fix.of
        root.append(_suite(findings, variant, findings.fixed if replaced else None, inconclusive_fails))
    for key in ("tests", "failures"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("errors", "0")
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _suite(
    findings: Findings, variant: VariantFindings, replaced_by: str | None, inconclusive_fails: bool
) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=f"{findings.name} {variant.name}")
    for criterion in variant.gate.criteria:
        suite.append(_case(findings, variant, criterion, replaced_by, inconclusive_fails))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite


def _case(
    findings: Findings,
    variant: VariantFindings,
    criterion: CriterionResult,
    replaced_by: str | None,
    inconclusive_fails: bool,
) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=f"{findings.name}.{variant.name}", name=criterion.name, time="0")
    if criterion.verdict is Verdict.PASS:
        return case
    reason = criterion.reason
    if variant.gate.cause is not None and criterion.verdict is Verdict.FAIL:
        reason += f". Likely cause: {variant.gate.cause}"
    if replaced_by is not None:
        ElementTree.SubElement(
            case, "skipped", message=f"{criterion.verdict.value}, replaced by {replaced_by}: {reason}"
        )
    elif criterion.verdict is Verdict.FAIL or (inconclusive_fails and variant.gate.verdict is not Verdict.PASS):
        failure = ElementTree.SubElement(case, "failure", message=reason, type=criterion.verdict.value)
        failure.text = f"{criterion.rule}: {reason}"
    else:
        ElementTree.SubElement(case, "skipped", message=f"inconclusive: {reason}")
    return case
