import pytest

from analysis.xnn.wording import spoken


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("InsuredInfo_6", "insured information 6"),
        ("Medical_History_28 = 1", "medical history 28 = 1"),
        ("Ins_Age", "age"),
        ("BMI", "BMI"),
        ("Product_Info_2 = A8", "product information 2 = A8"),
        ("smoker", "smoker"),
        ("<b>x</b>_$y$", "<b>x</b> $y$"),
        ("", ""),
    ],
)
def test_a_column_is_spoken_in_words_and_its_level_stays(column, words):
    assert spoken(column) == words
