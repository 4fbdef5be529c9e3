"""The token of the live page: what it opens, and what is refused without it."""

import pytest

from trailcam_edge.live import handler
from trailcam_edge.live.access import Access, Address
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.pages.router import Pages

from .conftest import FORM, TOKEN, Bench, FakeReports, content


def test_without_the_token_nothing_but_the_form_is_shown(guarded: Bench) -> None:
    answer = guarded.ask("GET", "/")
    assert answer.status == 401
    assert b"<form" in content(answer)
    for path in ("/visits", "/visits/a", "/review", "/camera"):
        answer = guarded.ask("GET", path)
        assert answer.status == 401
        assert b"<form" in content(answer)
    for path in (
        "/frame.jpg",
        "/status.json",
        "/metrics",
        "/pictures/a.jpg",
        "/thumbs/a.jpg",
        "/latest",
        "/nothing",
        "/frame.jpg?token=" + TOKEN,
    ):
        assert guarded.ask("GET", path).status == 401
    assert guarded.ask("GET", "/healthz").status == 200
    assert guarded.ask("GET", "/?token=wrong").status == 401


@pytest.mark.parametrize("path", ["/reviews", "/undo", "/reviewer"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Cookie": "right"}, 403),  # no origin
        ({"Cookie": "right", "Origin": "null"}, 403),
        ({"Cookie": "right", "Origin": "https://evil.example"}, 403),
        ({"Cookie": "right", "Origin": "http://localhost:1"}, 403),  # another port of this host
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Cookie": "trailcam=wrong", "Origin": "own"}, 403),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}, 403),
        ({"Cookie": "right", "Origin": "own"}, 400),  # the form is empty
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "same-origin"}, 400),
        ({"Authorization": f"Bearer {TOKEN}"}, 400),
    ],
)
def test_only_the_token_and_a_page_of_this_host_may_write(
    guarded: Bench, path: str, headers: dict[str, str], status: int
) -> None:
    own = {"right": f"trailcam={guarded.access.cookie}", "own": f"http://127.0.0.1:{guarded.server.port}"}
    sent = {name.replace("-", "_"): own.get(value, value) for name, value in headers.items()}
    answer = guarded.ask("POST", path, "", Content_Type=FORM, **sent)
    expected = {400: (400, 503, 303)}.get(status, (status,))
    assert answer.status in expected, content(answer)
    if status == 403:
        assert answer.headers["Connection"] == "close"


def test_without_a_token_nobody_writes_also_on_loopback(bench: Bench) -> None:
    origin = f"http://127.0.0.1:{bench.server.port}"
    assert bench.ask("POST", "/reviews", "visit=a&verdict=confirmed", Origin=origin).status == 403


def test_a_form_of_reviews_has_a_limit(guarded: Bench) -> None:
    for size, status in ((16_384, 503), (16_385, 413)):  # 503: this camera has no store
        answer = guarded.ask("POST", "/reviews", "a" * size, Authorization=f"Bearer {TOKEN}")
        assert answer.status == status


def test_two_cameras_on_one_host_have_cookies_of_their_own() -> None:
    first, second = (Access(Address("127.0.0.1", port), TOKEN) for port in (8080, 8081))
    assert first.cookie_name != second.cookie_name
    cookies = f"{first.cookie_name}={first.cookie}; {second.cookie_name}=old"
    assert first.verdict(cookies, None) == "right"
    assert second.verdict(cookies, None) == "wrong"


def test_the_link_and_the_form_give_a_cookie_that_lets_in(guarded: Bench) -> None:
    for answer in (
        guarded.ask("GET", f"/?token={TOKEN}"),
        guarded.ask("POST", "/login", f"token={TOKEN}", Content_Type="application/x-www-form-urlencoded"),
    ):
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert TOKEN not in cookie
        assert guarded.ask("GET", "/", Cookie=cookie.split(";")[0]).status == 200
    assert guarded.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/login", "token=guess", {}, 403),
        ("POST", "/login", "", {}, 403),
        ("GET", "/?token=guess", None, {}, 401),
        ("GET", "/", None, {"Cookie": "trailcam=guess"}, 401),
        ("GET", "/status.json", None, {"Authorization": "Bearer guess"}, 401),
        ("HEAD", "/frame.jpg", None, {"Authorization": "Bearer guess"}, 401),
    ],
)
def test_a_wrong_token_is_answered_late_wherever_it_is(
    guarded: Bench,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
    status: int,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(handler.time, "sleep", waited.append)
    answer = guarded.ask(method, path, body, **headers)
    assert answer.status == status
    assert waited == [1.0]
    assert answer.headers["Connection"] == "close"
    assert "Set-Cookie" not in answer.headers
    if method != "HEAD":
        assert b"This token is wrong." in content(answer)


def test_no_token_is_asked_for_at_once_and_open_paths_tell_nothing_of_one(
    guarded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.time, "sleep", lambda _: pytest.fail("waited"))
    assert guarded.ask("GET", "/").status == 401
    assert guarded.ask("GET", "/status.json").status == 401
    assert guarded.ask("GET", "/healthz", Authorization="Bearer guess").status == 200
    assert guarded.ask("GET", "/login", Cookie="trailcam=guess").status == 200


def test_the_token_leaves_the_address_bar_also_of_who_is_let_in(guarded: Bench) -> None:
    answer = guarded.ask("GET", "/?token=old", Cookie=f"trailcam={guarded.access.cookie}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")


def test_the_message_on_the_form_is_escaped() -> None:
    assert b"&lt;b&gt;" in Pages(FakeReports(), read_assets()).login(200, "<b>").content
