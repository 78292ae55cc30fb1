"""`data queue`: a table of the queue models, and refusals in words."""


def test_a_synthetic_market(call):
    done = call("data", "queue", "--exponent", "1", "--exponent", "2", "--every", "60")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split()[0] == "model"
    names = [line.split()[0] for line in lines[1:10]]
    assert names[:3] == ["risk_averse", "log_prob", "log2"]
    assert names[3:] == ["power(1)", "power2(1)", "power3(1)", "power(2)", "power2(2)", "power3(2)"]
    assert all(line.count("±") == 5 for line in lines[1:10])
    assert "virtual orders of 60 s" in lines[10]


def test_files_that_cannot_be_read(call, recording, tmp_path):
    done = call("data", "queue", tmp_path / "none.parquet")
    assert done.code == 2
    assert "none.parquet: cannot be read" in done.err
    done = call("data", "queue", recording)
    assert done.code == 2
    assert "no column action, order_id" in done.err


def test_an_exponent_out_of_range(call):
    assert call("data", "queue", "--exponent", "0").code == 2
