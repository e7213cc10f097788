"""Answers are kept for who asks the same again, and only while nothing has changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asperacentral.soap.answers import AnswerCache


def test_the_same_question_of_the_same_version_has_the_same_answer() -> None:
    cache = AnswerCache()
    assert cache.get("q", 1) is None
    cache.put("q", 1, "Message", b"answer")
    assert cache.get("q", 1) == ("Message", b"answer")
    assert cache.get("other", 1) is None
    assert cache.get("q", 2) is None


def test_an_answer_that_was_overtaken_by_a_change_is_not_kept() -> None:
    cache = AnswerCache()
    cache.put("q", 2, "Message", b"new")
    cache.put("q", 1, "Message", b"old")
    assert cache.get("q", 1) is None
    assert cache.get("q", 2) == ("Message", b"new")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.binary(max_size=60)), max_size=60))
def test_never_an_answer_of_another_version_and_never_more_than_allowed(
    puts: list[tuple[int, int, bytes]],
) -> None:
    cache = AnswerCache(max_bytes=100)
    given_: dict[tuple[int, int], set[bytes]] = {}
    for question, version, answer in puts:
        cache.put(question, version, "M", answer)
        given_.setdefault((question, version), set()).add(answer)
        kept = 0
        for (asked, of), answers in given_.items():
            found = cache.get(asked, of)
            if found is not None:
                assert found[1] in answers
                kept += len(found[1])
        assert kept <= 100
