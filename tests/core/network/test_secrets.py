"""Secrets in addresses: hidden in every spelling, and in every sentence."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.network.secrets import encoding_hint, has_secret, mask_address, mask_text

SCHEMES = st.sampled_from(
    ["rtsp://", "rtsps://", "http://", "HTTPS://", "rtmp://", "mqtt://", "x+y://", "rtsp:/", "s3:///"]
)
HOSTS = st.sampled_from(["cam", "127.0.0.1:9", "[::1]:554", "cam.local/live", "cam/a/b.sdp", "cam/"])
# Letters that are in no other part of an address; each secret has a marker that must not survive.
NOISE = st.text(st.sampled_from("#/?@:%[]&=;+$,!'\"()\\<>{}|^`~üß€ÄZ"), max_size=6)
SECRETS = st.tuples(NOISE, NOISE).map(lambda ends: f"{ends[0]}SEKRET{ends[1]}")


@given(SCHEMES, SECRETS, HOSTS)
def test_no_spelling_of_a_password_survives(scheme: str, secret: str, host: str) -> None:
    for spelling in (secret, quote(secret, safe=""), quote(secret)):
        for address in (
            f"{scheme}admin:{spelling}@{host}",
            f"{scheme}:{spelling}@{host}",
            f"{scheme}{spelling}@{host}",  # a token as the user
            f"admin:{spelling}@{host}",  # the scheme was forgotten
            f"{scheme}cam/x?key={spelling}",
            f"{scheme}a:b@cam/x?a=1&key={spelling}",
            f"{scheme}cam/x#{spelling}",
            f"{scheme}cam/user=admin_password={spelling}_channel=1",
        ):
            masked = mask_address(address)
            assert "SEKRET" not in masked
            assert has_secret(address)
            assert mask_address(masked) == masked
            assert "SEKRET" not in mask_text(f'{address}: no frame. "ffprobe {address}" says more ({address}).')


@given(st.text(max_size=60))
def test_any_text_can_be_masked_and_masking_twice_changes_nothing(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
    assert mask_address(mask_address(text)) == mask_address(text)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("http://admin:SECRET@127.0.0.1:18301/x", "http://admin:***@127.0.0.1:18301/x"),
        ("rtsp://admin:SEC#RET@127.0.0.1:9/live", "rtsp://admin:***@127.0.0.1:9/live"),
        ("rtsp://admin:a@b:c@cam/live", "rtsp://admin:***@cam/live"),
        ("http://user:pw@h/x?key=SECRETKEY", "http://user:***@h/x?***"),
        ("https://ghp_token@example.org/r", "https://***@example.org/r"),
        ("rtsp://cam:554/user=admin&password=p&channel=1", "rtsp://cam:554/user=***"),
        ("https://a-token-of-twenty-letters:x@h/", "https://***@h/"),
        ("rtsp://admin:@cam/", "rtsp://***@cam/"),
        ("rtsp://admin:1234/5@cam/live", "rtsp://***"),  # a host "admin" with a path, or a password with a slash
        ("http://cam/x?key=a@b", "http://***"),
    ],
)
def test_what_is_no_secret_stays(address: str, masked: str) -> None:
    assert mask_address(address) == masked
    assert mask_text(f"{address}: no frame.") == f"{masked}: no frame."


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://cam:554/live",
        "https://[::1]:8080/a/b",
        "picamera2:1",
        "/dev/video0",
        "clip 12:30.avi",
        "pi@oak",
        "Live page: ssh -N -L 8080:127.0.0.1:8080 pi@oak   then   http://127.0.0.1:8080/",
        "2026-05-01 12:00:01 trailcam: 4 % of 3: fine?",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert mask_text(text) == text
    assert mask_address(text) == text or "://" in text


@pytest.mark.parametrize("letter", "#/?@[] %")
def test_a_password_that_must_be_encoded_gets_a_hint(letter: str) -> None:
    hint = encoding_hint(f"rtsp://admin:SEC{letter}RET@cam/live")
    assert "%23" in hint
    assert "SEC" not in hint
    assert encoding_hint(f"rtsp://admin:SEC{quote(letter, safe='')}RET@cam/live") == ""
    assert encoding_hint("rtsp://cam/live") == ""


def test_long_texts_are_masked_in_linear_time() -> None:
    for text in ("a" * 300_000, "a:" * 150_000, "://" * 100_000, "a://" * 75_000, '".' * 150_000, "x@" * 150_000):
        assert len(mask_text(text)) >= 3
