"""`make bench` refuses what makes no sense, with status 1 and one sentence."""

import pytest

from bench.command import main, read_options


@pytest.mark.parametrize(
    "words",
    [
        ["lunch"],
        ["launch", "--only", "import"],
        ["sync", "--runs", "0"],
        ["sync", "--runs", "many"],
        ["sync", "--only", "lunch"],
        ["--fast"],
    ],
)
def test_bad_input_is_refused_with_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith("see --help.")
    assert "Traceback" not in said


def test_quick_mode_is_small_unless_told_otherwise() -> None:
    assert read_options(["sync", "--quick"]).patients < 1000
    assert read_options(["sync", "--quick", "--patients", "700"]).patients == 700
