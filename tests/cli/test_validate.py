"""`makerside validate`: table, files, exit codes, and refusals in words."""

import json

from makerside.research.validation import first_passage, glft


def test_a_table_and_its_files(call, tmp_path):
    out = tmp_path / "new" / "folder"
    done = call("validate", "--quick", "--only", "glft", "--only", "first_passage", "--out", out)
    assert done.code == 0, done.err
    assert "22 of 22 rows pass (quick)" in done.out
    assert "paper of 2013: error of the depths at q = 0 of 30" in done.out
    assert "FAIL" not in done.out
    assert "quick: fewer paths, wider intervals" in done.err
    summary = json.loads((out / "validation.json").read_text())
    assert (summary["rows"], summary["failed"], summary["quick"]) == (22, 0, True)
    assert list(summary["checks"]) == ["glft", "first_passage"]
    assert summary["checks"]["first_passage"]["settings"]["seed"] == 6
    page = (out / "validation.html").read_text()
    assert "all 22 rows pass" in page
    assert page.count("<div class='chart'") == 3
    assert "http://" not in page.split("<body>", 1)[1].split("id='library'")[0]
    assert sorted(child.name for child in out.iterdir()) == ["validation.html", "validation.json"]


def test_a_row_that_fails(call, monkeypatch, tmp_path):
    """The same check with a tolerance that nothing can meet: exit code 1, and it is said where."""
    case = glft.CASES[2]
    monkeypatch.setattr(glft, "CASES", (glft.Case(case.name, case.problem, 1e-9, 0.05),))
    done = call("validate", "--only", "glft", "--out", tmp_path)
    assert done.code == 1
    assert "2 of 3 rows pass, 1 FAIL" in done.out
    assert "1 of 3 rows fail" in (tmp_path / "validation.html").read_text()


def test_a_check_that_does_not_exist(call):
    done = call("validate", "--only", "glfT")
    assert done.code == 2
    assert "--only glfT: there is no such check; there are avellaneda_stoikov, glft, bipower" in done.err


def test_a_file_for_a_folder(call, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        done = call("validate", "--only", "glft", "--out", out)
        assert done.code == 2
        assert str(out) in done.err
        assert "pass" not in done.out


def test_interrupted(call, monkeypatch, tmp_path):
    """Ctrl-C in the second check: nothing is written, and the folder that was made for it is gone."""

    def stopped(scale, on_progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(first_passage, "check", stopped)
    done = call("validate", "--only", "glft", "--only", "first_passage", "--out", tmp_path / "out")
    assert done.code == 130
    assert "interrupted: nothing was written" in done.err
    assert not (tmp_path / "out").exists()
