import pytest


def test_points_double():
    import scaling

    assert scaling.points(3, 4) == [3, 6, 12, 24]


def test_a_gain_is_taken_seed_by_seed():
    import scaling

    def run(validation):
        return {"validation": validation, "seconds": 1.0}

    first, second = scaling.rows({1: [run(0.5), run(0.7)], 2: [run(0.6), run(0.9)]})
    assert first["gain"]["value"] is None
    assert second["gain"]["value"] == pytest.approx(0.15)
    assert second["validation"]["value"] == pytest.approx(0.75)


def test_doubling_the_images_is_trained_once_and_read_again(benchmark):
    asked = ("digits", "--vary", "limit", "--first", "128", "--points", "2", "--seeds", "1",
             "--set", "epochs=1", "--set", "precision=fp32", "--threads", "1")  # fmt: skip
    table, facts = benchmark("scaling", *asked)
    assert [row["point"] for row in facts["rows"]] == [128, 256]
    assert len(table) == 3
    again = benchmark("scaling", *asked)[1]
    assert again["rows"] == facts["rows"]
