import pytest

from runs import reference
from runs.errors import RunError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("7", ("7", None)),
        ("7@2000", ("7", 2000)),
        ("mnist-cosine@10_000", ("mnist-cosine", 10_000)),
        ("last", ("last", None)),
        ("a name [red]@0", ("a name [red]", 0)),
    ],
)
def test_split(text: str, parts: tuple[str, int | None]) -> None:
    assert reference.split(text) == parts


@pytest.mark.parametrize("text", ["x@", "@5", "x@-5", "x@_5", "x@1e3", "x@5@6", "x@last", "x@\u0662"])
def test_what_is_no_step(text: str) -> None:
    with pytest.raises(RunError, match="write RUN@STEP"):
        reference.split(text)
