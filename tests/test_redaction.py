from __future__ import annotations

import logging
import threading
import warnings

import pytest

from sequela.redaction import headings, withheld, without_paths

SECRET = "CANARY-4711"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/ann/scans/one.dcm: broken", "cannot read one.dcm: broken"),
        ("Directory '/data/hospital/' does not exist", "Directory 'hospital' does not exist"),
        ("/secret is not there", "secret is not there"),
        ("see work/runs/lumin and ./there", "see work/runs/lumin and ./there"),
        ("http://127.0.0.1:8000/v1 answered 1/2 of CC/MLO", None),
        ("4,095 / 65,535", None),
    ],
)
def test_absolute_paths_alone_are_cut_to_their_names(text: str, shown: str | None) -> None:
    assert without_paths(text) == (shown or text)


def test_a_path_with_blanks_is_known_from_the_command_line() -> None:
    text = "File '/home/Jane Roe/x y.yaml' is missing"
    assert without_paths(text, ("check", "/home/Jane Roe/x y.yaml")) == "File 'x y.yaml' is missing"


def disturb() -> None:
    logging.getLogger("pydicom").warning("value %s", SECRET)
    logging.getLogger("pydicom").error(SECRET, exc_info=ValueError(SECRET))
    logging.getLogger("other.part").warning(f"value {SECRET}", stack_info=True)
    warnings.warn(f"the value {SECRET} is odd", stacklevel=1)
    thread = threading.Thread(target=int, args=(SECRET,))
    thread.start()
    thread.join()


def test_what_libraries_say_is_withheld(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning
        with withheld(silently=False):
            disturb()
        assert warnings.showwarning is shown
    said = capsys.readouterr().err
    assert SECRET not in said + caplog.text
    assert "Traceback" not in said + caplog.text
    assert "pydicom logged a message" in caplog.text
    assert said.count("UserWarning") == 1
    assert "a thread ended with ValueError" in said


def test_nothing_at_all_is_said_to_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with withheld(silently=True):
            disturb()
    assert capsys.readouterr() == ("", "")
    assert not logging.root.manager.disable


def test_names_of_columns_are_told_unless_they_may_be_a_patient() -> None:
    assert headings(["patient_id", "age", "AUC (95% CI)"]) == "patient_id, age, AUC (95% CI)"
    for row in (["Jane Roe", "1947-11-04"], ["P00417", "female"], ["Jane", "61.5"]):
        assert headings(row).startswith("2 columns, whose names are withheld")
