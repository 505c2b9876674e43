"""Tests of medseg.planning.task."""

from medseg.planning.task import Choice, make_task


def test_a_task_has_the_choices_the_classes_and_where_the_cases_are_listed():
    choices = [Choice("_layers_", ["ct", "3d", "volume"], "."), Choice("max_epochs", 3, ".")]
    made = make_task(
        "kidney", choices, classes={"kidney": (1, 2)}, values=(0, 1, 2), dataset_dir="data/kidney"
    )
    assert made["_layers_"] == ["ct", "3d", "volume"]
    assert (made["name"], made["max_epochs"]) == ("kidney", 3)
    assert made["classes"] == {"kidney": [1, 2]}
    assert made["label_values"] == [0, 1, 2]
    assert made["dataset_dir"] == "data/kidney"
    assert made["surface_unit"] == "mm"


def test_surfaces_of_pictures_are_measured_in_pixels():
    made = make_task(
        "a", [Choice("_layers_", ["picture", "2d"], ".")], classes={}, values=(), dataset_dir="d"
    )
    assert made["surface_unit"] == "pixel"
    assert "read_values" not in made
