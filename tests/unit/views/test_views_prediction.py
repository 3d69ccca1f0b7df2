"""Questions about what the server sends next."""

from __future__ import annotations

import pytest

from mtls_notebook.tls.messages import Message
from mtls_notebook.views import prediction
from tests.unit.views.replay import CAPTURES, handshake

NAMES = sorted(path.stem for path in CAPTURES.glob("tls1*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_each_message_of_the_server_is_asked_for_once_in_order(name: str) -> None:
    shown = handshake(name)
    wanted = [i for i, a in enumerate(shown.arrows) if a.sender == "server" and isinstance(a.message, Message)]
    assert [question["arrow"] for question in prediction.questions(shown)] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_each_question_has_four_choices_and_one_is_what_came(name: str) -> None:
    shown = handshake(name)
    for question in prediction.questions(shown):
        right = [choice["name"] for choice in question["choices"] if choice["right"]]
        assert right == [shown.arrows[question["arrow"]].name]
        assert len({choice["name"] for choice in question["choices"]}) == prediction.CHOICES
        assert all(choice["why"] for choice in question["choices"])


def test_the_right_choice_does_not_always_stand_in_one_place() -> None:
    questions = prediction.questions(handshake("tls13-mtls"))
    places = {[choice["right"] for choice in question["choices"]].index(True) for question in questions}
    assert len(places) > 1


def test_a_guess_is_right_when_it_names_the_message_that_came() -> None:
    shown = handshake("tls13-mtls")
    asked = [question["arrow"] for question in prediction.questions(shown)]
    right = [[number, shown.arrows[number].name] for number in asked]
    assert prediction.score(shown, right) == (len(asked), len(asked))
    assert prediction.score(shown, [[asked[0], "Finished"], [9999, "Finished"]]) == (0, 2)
    assert prediction.score(shown, []) == (0, 0)
