"""`make bench` refuses bad arguments with status 1 and one sentence."""

import pytest

from bench.command import main, read_options

BAD_ARGUMENTS = (
    ["lunch"],
    ["launch", "--only", "import"],
    ["sync", "--runs", "0"],
    ["sync", "--runs", "many"],
    ["sync", "--only", "lunch"],
    ["--fast"],
)


def test_bad_arguments_are_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words in BAD_ARGUMENTS:
        assert main(words) == 1, words
        error = " ".join(capsys.readouterr().err.split())
        assert error.endswith("see --help."), words
        assert "Traceback" not in error


def test_quick_mode_is_small_by_default() -> None:
    assert read_options(["sync", "--quick"]).patients < 1000
    assert read_options(["sync", "--quick", "--patients", "700"]).patients == 700
