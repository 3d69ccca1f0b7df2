"""The `workers` module as a worker uses it; a function stands where the network would be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPMethod, HTTPStatus
from typing import Any

import pytest

from mtls_notebook.worker.python import workers_module as workers
from mtls_notebook.worker.python.bodies import Source
from mtls_notebook.worker.python.hops import Leg, Ports, open_ports
from mtls_notebook.worker.python.workers_module import (
    Blob,
    BodyUsedError,
    FetchError,
    FormData,
    HttpStatusError,
    Request,
    Response,
    fetch,
    fetch_through,
)


class Answer:
    """What an origin function answers; counts how often the body was taken, and whether it was let go of."""

    length: int | None = None

    def __init__(self, status: int = 200, headers: list[tuple[str, str]] | None = None, body: bytes = b"") -> None:
        self.status, self.reason, self.headers = status, "", headers or []
        self.parts = [body[:3], body[3:]]
        self.taken = 0
        self.discarded = False

    async def read(self, most_bytes: int | None = None) -> bytes:
        self.taken += 1
        return b"".join(self.parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        self.taken += 1
        for part in self.parts:
            await asyncio.sleep(0)
            yield part

    async def discard(self) -> None:
        self.discarded = True


def run(
    work: Callable[[], Coroutine[Any, Any, Any]], origin: Callable[[Leg], Answer] | None = None
) -> tuple[Any, list[Leg]]:
    """Return what `work` returns as a worker whose fetches reach `origin`, and the hops it made."""
    legs: list[Leg] = []

    async def hop(leg: Leg) -> Answer:
        legs.append(leg)
        assert origin is not None
        return origin(leg)

    async def task() -> Any:
        open_ports(Ports(hop, lambda work: None))
        return await work()

    return asyncio.run(task()), legs


def fetched(origin: Callable[[Leg], Answer], *arguments: Any, **options: Any) -> tuple[Response, list[Leg]]:
    return run(lambda: fetch_through("MY_CERT", *arguments, **options), origin)


def redirecting(*statuses: int, to: str = "/next") -> Callable[[Leg], Answer]:
    answers = [Answer(status, [("Location", to)]) for status in statuses] + [Answer(200, body=b"there")]
    return lambda leg: answers.pop(0)


# -- Response ------------------------------------------------------------------------------------------


def test_a_response_has_the_platforms_defaults() -> None:
    response = Response("grün")
    assert (response.status, response.status_text, response.ok, response.url, response.redirected) == (
        200,
        "OK",
        True,
        "",
        False,
    )
    assert response.headers["Content-Type"] == "text/plain;charset=UTF-8"
    assert asyncio.run(response.text()) == "grün"
    assert repr(Response(None, 404)) == "Response(status=404, status_text='Not Found')"


def test_a_status_may_be_an_http_status_and_its_text_ones_own() -> None:
    assert Response(None, HTTPStatus.CREATED).status == 201
    assert Response(None, 299).status_text == ""
    assert Response(None, 201, "Made it").status_text == "Made it"


@pytest.mark.parametrize("status", [0, -1, 100, 101, 199, 600, 1000])
def test_a_status_that_no_response_can_have_is_a_value_error(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        Response("x", status)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_null_body_status_takes_no_body_not_even_an_empty_one(status: int) -> None:
    assert Response(None, status).body is None
    with pytest.raises(TypeError, match="null body status"):
        Response("", status)


@pytest.mark.parametrize("body", [{"a": 1}, [1], 42, object(), Response("x")])
def test_a_body_of_another_type_is_refused_by_name(body: object) -> None:
    with pytest.raises(TypeError, match=f"Unsupported type in Response: {type(body).__name__}"):
        Response(body)


@pytest.mark.parametrize("body", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), Blob(b"\x00\xff")])
def test_bytes_in_any_wrapping_are_a_body_without_a_media_type(body: object) -> None:
    response = Response(body)
    assert "content-type" not in response.headers
    assert asyncio.run(response.bytes()) == b"\x00\xff"


def test_a_form_as_body_brings_its_media_type_and_comes_back_as_a_form() -> None:
    response = Response(FormData({"a": "1"}))
    assert response.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert asyncio.run(response.form_data())["a"] == "1"


def test_json_makes_a_response_on_the_class_and_reads_one_on_an_instance() -> None:
    assert asyncio.run(Response.json({"field": [1, None, "ü"]}).json()) == {"field": [1, None, "ü"]}
    made = Response.json([1], status=201, headers={"X-Other": "1"})
    assert (made.status, made.headers["content-type"], made.headers["x-other"]) == (201, "application/json", "1")
    assert Response.from_json("x", headers={"Content-Type": "text/x"}).headers.get_all("content-type") == ["text/x"]
    with pytest.raises(TypeError, match="not JSON serializable"):
        Response.json({1})


def test_json_is_utf_8_whatever_the_charset_says_and_a_byte_order_mark_is_dropped() -> None:
    response = Response("\ufeff{}".encode(), headers={"content-type": "application/json; charset=iso-8859-1"})
    assert asyncio.run(response.json()) == {}
    assert asyncio.run(Response('"ü"'.encode(), headers={"content-type": "a/b; charset=x"}).json()) == "ü"
    assert asyncio.run(Response(b"\xff").text()) == "\ufffd"
    with pytest.raises(json.JSONDecodeError):
        asyncio.run(Response("<html>").json())


def test_several_cookies_stay_several_and_other_repeated_headers_become_one() -> None:
    pairs = [("Set-Cookie", "a=1, x"), ("set-cookie", "b=2"), ("Vary", "accept"), ("vary", " origin ")]
    headers = Response(None, headers=pairs).headers
    assert headers.get_all("Set-Cookie") == ["a=1, x", "b=2"]
    assert headers.get_all("vary") == ["accept, origin"]


@pytest.mark.parametrize(
    "headers", [{"a": "1\r\nb: 2"}, {"a\n": "1"}, {"a b": "1"}, {"": "1"}, {"a": "→"}, {"a": "\0"}]
)
def test_a_header_that_cannot_be_sent_is_a_value_error(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Response(None, headers=headers)


@pytest.mark.parametrize("headers", ["a: 1", ["a"], 7])
def test_headers_that_are_no_pairs_are_a_type_error(headers: Any) -> None:
    with pytest.raises(TypeError):
        Response(None, headers=headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_makes_a_redirect_of_every_kind(status: int) -> None:
    response = Response.redirect("https://a.example", status)
    assert (response.status, response.headers["location"]) == (status, "https://a.example/")


def test_redirect_refuses_other_statuses_and_relative_urls() -> None:
    with pytest.raises(ValueError, match="200"):
        Response.redirect("https://a.example/", 200)
    with pytest.raises(TypeError, match="Invalid URL"):
        Response.redirect("/there")


def test_raise_for_status_raises_from_400_on_and_says_what_and_where() -> None:
    Response(None, 399).raise_for_status()
    answered, _ = fetched(lambda leg: Answer(503), "https://a.example/x")
    with pytest.raises(HttpStatusError, match=r"503 Server Error.*https://a\.example/x") as caught:
        answered.raise_for_status()
    assert isinstance(caught.value, OSError)
    assert caught.value.status == 503
    with pytest.raises(HttpStatusError):
        Response(None, 400).raise_for_status()


# -- a body is read once -------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["bytes", "buffer", "text", "json", "blob"])
def test_a_body_read_a_second_time_is_an_os_error(reader: str) -> None:
    async def twice() -> None:
        response = Response('"x"')
        assert not response.body_used
        await getattr(response, reader)()
        assert response.body_used
        with pytest.raises(BodyUsedError):
            await response.text()
        with pytest.raises(OSError, match="used"):
            response.clone()

    asyncio.run(twice())


def test_a_missing_body_is_empty_as_often_as_one_asks() -> None:
    async def often() -> list[str]:
        response = Response(None)
        return [await response.text(), await response.text(), await response.clone().text()]

    assert asyncio.run(often()) == ["", "", ""]


def test_a_clone_and_its_original_are_read_independently_and_the_origin_once() -> None:
    answer = Answer(body=b"abcdef")

    async def both() -> list[Any]:
        response = await fetch_through("MY_CERT", "https://a.example/")
        clone = response.clone()
        return [*await asyncio.gather(clone.text(), response.text()), clone.url]

    (one, other, url), _ = run(both, lambda leg: answer)
    assert (one, other, url, answer.taken) == ("abcdef", "abcdef", "https://a.example/", 1)


def test_a_failed_read_fails_for_the_clone_too() -> None:
    class Broken(Answer):
        async def read(self, most_bytes: int | None = None) -> bytes:
            self.taken += 1
            raise FetchError("Network connection lost.")

    async def both() -> list[Any]:
        response = await fetch_through("MY_CERT", "https://a.example/")
        return await asyncio.gather(response.clone().text(), response.text(), return_exceptions=True)

    outcome, _ = run(both, lambda leg: Broken())
    assert [type(each) for each in outcome] == [FetchError, FetchError]


def test_a_body_streams_chunk_by_chunk_and_is_used_then() -> None:
    async def streamed() -> tuple[list[bytes], bool]:
        response = await fetch_through("MY_CERT", "https://a.example/")
        assert response.body is not None
        return [chunk async for chunk in response.body], response.body_used

    assert run(streamed, lambda leg: Answer(body=b"abcdef"))[0] == ([b"abc", b"def"], True)


def test_a_streams_body_becomes_another_responses_body_without_being_read() -> None:
    answer = Answer(body=b"abcdef")

    async def passed_on() -> tuple[int, str]:
        response = await fetch_through("MY_CERT", "https://a.example/")
        made = Response(response.body, 201)
        assert response.body_used
        return answer.taken, await made.text()

    assert run(passed_on, lambda leg: answer)[0] == (0, "abcdef")


def test_replacing_a_body_keeps_status_and_headers() -> None:
    replaced = Response("test", 201, "Created so", {"X-A": "1"}).replace_body("other")
    assert (replaced.status, replaced.status_text, replaced.headers["x-a"]) == (201, "Created so", "1")
    assert asyncio.run(replaced.text()) == "other"


# -- Request -------------------------------------------------------------------------------------------


def test_a_request_knows_its_method_as_http_method_and_a_whole_url() -> None:
    request = Request("HTTPS://Test.example", method="post", body="x")
    assert request.method is HTTPMethod.POST
    assert request.url == "https://test.example/"
    assert Request("https://a.example/", method=HTTPMethod.PUT).method is HTTPMethod.PUT
    assert Request("https://a.example/", method="PURGE").method == "PURGE"
    assert repr(request) == "Request(method='POST', url='https://test.example/')"
    assert request.cf is None
    assert Request("https://a.example/", cf={"colo": "DFW"}).cf.colo == "DFW"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "url",
    ["/rel", "a.example", "//a.example/", "ftp://a.example/", "https://", "https://[::1", "https://a:99999/", "", None]
    + [f"https://a{sign}b.example/" for sign in " <>^|%"],
)
def test_a_url_that_cannot_be_fetched_is_a_type_error(url: Any) -> None:
    with pytest.raises(TypeError):
        Request(url)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET", "body": ""},
        {"method": "head", "body": "x"},
        {"body": b"x"},
        {"method": "TRACE"},
        {"method": "NOPE"},
        {"method": ""},
        {"method": "CONNECT"},
        {"method": "GET /"},
        {"redirect": "maybe"},
        {"timeout": 3},
        {"body": {"a": 1}, "method": "POST"},
    ],
)
def test_options_that_make_no_request_are_type_errors(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Request("https://a.example/", **options)


def test_a_request_made_of_another_takes_its_body_over_and_a_clone_does_not() -> None:
    async def made() -> list[Any]:
        first = Request("https://a.example/", method="POST", body="body", headers={"X-A": "1"})
        clone = first.clone()
        second = Request(first, headers={"X-B": "2"})
        assert first.body_used
        assert list(second.headers.items()) == [("X-B", "2")]
        return [await second.text(), await clone.text(), clone.headers["x-a"], second.method]

    assert asyncio.run(made()) == ["body", "body", "1", HTTPMethod.POST]


def test_a_posts_body_cannot_become_a_gets() -> None:
    with pytest.raises(TypeError, match="GET or HEAD"):
        Request(Request("https://a.example/", method="POST", body="x"), method="GET")


# -- fetch ---------------------------------------------------------------------------------------------


def test_fetch_sends_method_headers_and_body_through_the_binding() -> None:
    _, legs = fetched(
        lambda leg: Answer(), "https://a.example/p?q=1#f", method="POST", body="x", headers={"X-A": "1", "Host": "evil"}
    )
    assert legs == [
        Leg(
            "MY_CERT",
            "POST",
            "https://a.example/p?q=1",
            [("X-A", "1"), ("content-type", "text/plain;charset=UTF-8")],
            b"x",
        )
    ]


def test_headers_of_one_connection_do_not_travel_to_the_next() -> None:
    copied = {
        "Content-Length": "99",
        "Transfer-Encoding": "chunked",
        "Connection": "close",
        "Upgrade": "h2c",
        "X-A": "1",
    }
    _, legs = fetched(lambda leg: Answer(), "https://a.example/", headers=copied)
    assert legs[0].headers == [("X-A", "1")]


def test_fetching_a_request_uses_its_body_up() -> None:
    async def twice() -> None:
        request = Request("https://a.example/", method="PUT", body="x")
        await fetch_through("MY_CERT", request)
        with pytest.raises(BodyUsedError):
            await fetch_through("MY_CERT", request)

    assert len(run(twice, lambda leg: Answer())[1]) == 1


def test_the_global_fetch_presents_no_binding_and_a_fetcher_takes_its_place() -> None:
    async def both() -> tuple[int, Response]:
        plain = await fetch("https://a.example/")

        async def mine(resource: str | Request, **options: Any) -> Response:
            return Response(f"{resource} {options}")

        return plain.status, await fetch("https://b.example/", method="PUT", fetcher=mine)

    (status, response), legs = run(both, lambda leg: Answer(202))
    assert (status, [leg.binding for leg in legs]) == (202, [""])
    assert asyncio.run(response.text()) == "https://b.example/ {'method': 'PUT'}"


def test_a_fetch_outside_of_a_request_says_so() -> None:
    with pytest.raises(RuntimeError, match="answers a request"):
        asyncio.run(fetch("https://a.example/"))


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
def test_an_answer_that_has_no_body_is_let_go_of_at_once(method: str, status: int) -> None:
    answer = Answer(status, [("content-length", "5")])
    response, _ = fetched(lambda leg: answer, "https://a.example/", method=method)
    assert (response.body, answer.discarded, answer.taken) == (None, True, 0)
    assert response.headers["content-length"] == "5"


# -- redirects (Fetch standard §4.4) -------------------------------------------------------------------


def test_a_redirect_is_followed_with_the_same_binding_and_the_final_url_is_told() -> None:
    response, legs = fetched(redirecting(302, to="/next#part"), "https://a.example/dir/x")
    assert [(leg.binding, leg.url) for leg in legs] == [
        ("MY_CERT", "https://a.example/dir/x"),
        ("MY_CERT", "https://a.example/next"),
    ]
    assert (response.redirected, response.url) == (True, "https://a.example/next")
    assert asyncio.run(response.text()) == "there"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_what_a_redirect_makes_of_a_method_and_its_body(status: int, method: str, then: str) -> None:
    body = None if method == "HEAD" else "x"
    headers = {"Content-Type": "a/b", "Content-Language": "en", "X-A": "1"}
    _, legs = fetched(redirecting(status), "https://a.example/", method=method, body=body, headers=headers)
    kept = then == method
    assert (legs[1].method, legs[1].body) == (then, (body or "").encode() if kept else b"")
    assert [name for name, _ in legs[1].headers] == (list(headers) if kept else ["X-A"])


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        ("/same", True),
        ("https://a.example:443/same", True),
        ("https://b.example/", False),
        ("http://a.example/", False),
    ],
)
def test_credentials_do_not_follow_to_another_origin(to: str, kept: bool) -> None:
    headers = {"Authorization": "secret", "Cookie": "secret", "X-A": "1"}
    _, legs = fetched(redirecting(307, to=to), "https://a.example/", headers=headers)
    assert [name for name, _ in legs[1].headers] == (list(headers) if kept else ["X-A"])


def test_an_answers_equal_names_are_one_value_and_its_cookies_stay_apart() -> None:
    headers = [("X-Twice", "1"), ("Set-Cookie", "a=1"), ("x-twice", "2"), ("set-cookie", "b=2")]
    response, _ = fetched(lambda leg: Answer(200, headers), "https://a.example/")
    assert (response.headers["x-twice"], response.headers.get_all("set-cookie")) == ("1, 2", ["a=1", "b=2"])


def test_manual_returns_the_redirect_and_error_is_no_choice_whatever_the_origin_says() -> None:
    response, legs = fetched(redirecting(302), "https://a.example/", redirect="manual")
    assert (response.status, response.headers["location"], response.redirected, len(legs)) == (302, "/next", False, 1)
    with pytest.raises(TypeError, match="follow, manual"):
        fetched(lambda leg: Answer(), "https://a.example/", redirect="error")


def test_twenty_redirects_are_followed_and_the_next_is_too_many() -> None:
    assert len(fetched(redirecting(*[302] * 20), "https://a.example/")[1]) == 21
    with pytest.raises(TypeError, match="Too many redirects"):
        fetched(redirecting(*[302] * 21), "https://a.example/")


@pytest.mark.parametrize("to", ["ftp://a.example/", "https://[::1", "mailto:x"])
def test_a_redirect_to_what_cannot_be_fetched_is_a_type_error(to: str) -> None:
    with pytest.raises(TypeError):
        fetched(redirecting(302, to=to), "https://a.example/")


def test_a_redirect_without_a_location_is_an_answer() -> None:
    assert fetched(lambda leg: Answer(302), "https://a.example/")[0].status == 302


def test_the_module_offers_what_the_platforms_documentation_names() -> None:
    assert {
        "Request",
        "Response",
        "WorkerEntrypoint",
        "fetch",
        "handler",
        "waitUntil",
        "FormData",
        "Blob",
        "File",
    } <= set(workers.__all__)
    assert all(hasattr(workers, name) for name in workers.__all__)


# -- bodies that are made while they are sent ----------------------------------------------------------


async def made(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def test_an_asynchronous_generator_is_a_body_of_bytes_and_text() -> None:
    async def read() -> bytes:
        return await Response(made(b"a", "é", bytearray(b"b"))).bytes()

    assert run(read)[0] == "aéb".encode()


def test_a_generators_chunk_of_another_type_is_refused_by_name() -> None:
    async def read() -> bytes:
        return await Response(made(1)).bytes()

    with pytest.raises(TypeError, match="not int"):
        run(read)


def test_a_streamed_body_is_handed_on_as_it_is_and_its_length_where_that_is_known() -> None:
    async def sent() -> None:
        await fetch_through("MY_CERT", "https://a.example/", method="POST", body=made(b"x"))
        await fetch_through("MY_CERT", "https://a.example/", method="POST", body=Response("four").body)

    _, legs = run(sent, lambda leg: Answer())
    assert isinstance(legs[0].body, Source)
    assert (legs[0].body.length, legs[1].body) == (None, b"four")


@pytest.mark.parametrize("status", [307, 308])
def test_a_streamed_body_is_not_sent_a_second_time_to_where_a_redirect_leads(status: int) -> None:
    async def sent() -> None:
        await fetch_through("MY_CERT", "https://a.example/", method="POST", body=made(b"x"))

    with pytest.raises(TypeError, match="second time"):
        run(sent, redirecting(status))
