"""Tests of medseg.engines.resume_record: which changes make a run another run."""

import copy
import shutil

import pytest
from monai.bundle import ConfigParser

from medseg.engines import read_config_in_use, resume_record
from medseg.engines.changeable_settings import HANDLERS_WITHOUT_EFFECT, MAY_CHANGE
from medseg.engines.resume_record import check_record, describe_run

CHOICES = {"fold": 0, "seed": 0, "classes": {"liver": [1, 2]}, "window_hu": [-160, 240]}


def case(folder, name, *, image=b"image", label=b"label"):
    """A case whose files hold those bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {key: folder / f"{name}.{key}" for key in ("image", "label")}
    for path, content in zip(paths.values(), (image, label), strict=True):
        path.write_bytes(content)
    return {"case": name, "patient": name, **{key: str(path) for key, path in paths.items()}}


def of(choices=CHOICES, training=(), validation=()):
    return describe_run(choices, training=training, validation=validation)


def test_the_same_choices_and_cases_pass(tmp_path):
    cases = [case(tmp_path, name) for name in "ab"]
    check_record("resume.pt", of(training=cases), of(training=cases[::-1]))


def test_a_folder_with_a_space_is_named_as_a_command_takes_it():
    with pytest.raises(ValueError, match=r"-b 'my runs/new' --resume True does by itself"):
        check_record("my runs/new/resume.pt", of(), of({**CHOICES, "fold": 1}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fold": 1}, r"\(fold was 0, is 1\)"),
        ({"seed": 7}, r"\(seed was 0, is 7\)"),
        ({"window_hu": [-100, 240]}, r"window_hu was \[-160, 240\], is \[-100, 240\]"),
        (
            {"classes": {"tumour": [2]}},
            r"classes was \{'liver': .1, 2.\}, is \{'tumour'",
        ),
        ({"fold": 1, "seed": 2}, r"\(fold was 0, is 1; seed was 0, is 2\)"),
    ],
)
def test_another_choice_is_refused_with_both_values(changed, said):
    with pytest.raises(ValueError, match=f"resume.pt holds a run with other settings .*{said}"):
        check_record("runs/resume.pt", of(), of({**CHOICES, **changed}))


@pytest.mark.parametrize("key", MAY_CHANGE)
def test_how_long_where_and_by_what_machine_may_change(key):
    check_record("resume.pt", of({**CHOICES, key: "before"}), of({**CHOICES, key: "after"}))


def test_a_tuple_is_the_list_that_it_is_read_back_as():
    check_record("resume.pt", of(), of({**CHOICES, "window_hu": (-160, 240)}))


def test_a_key_that_a_later_version_added_is_not_compared():
    check_record("resume.pt", of(), of({**CHOICES, "new": 1}))
    check_record("resume.pt", of({**CHOICES, "old": 1}), of())


def test_the_batch_counts_for_all_processes_together(monkeypatch):
    one = of({"batch_size": 4})
    monkeypatch.setattr(resume_record.idist, "get_world_size", lambda: 2)
    check_record("resume.pt", one, of({"batch_size": 2}))
    with pytest.raises(ValueError, match="batch_size was 4, is 8"):
        check_record("resume.pt", one, of({"batch_size": 4}))


def test_a_case_that_changes_sides_is_refused(tmp_path):
    a, b, c, d = (case(tmp_path, name) for name in "abcd")
    with pytest.raises(ValueError, match=r"other cases \(case b was for training, is for validati"):
        check_record("resume.pt", of(CHOICES, [a, b], [c]), of(CHOICES, [a], [b, c]))
    with pytest.raises(ValueError, match=r"\(case d is new\)"):
        check_record("resume.pt", of(training=[a]), of(training=[a, d]))
    with pytest.raises(ValueError, match=r"\(case b is gone\)"):
        check_record("resume.pt", of(training=[a, b]), of(training=[a]))


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"label": b"LABEL"}, False),  # of the same size
        ({"image": b"a longer image"}, False),
        ({}, True),
    ],
)
def test_a_case_is_known_by_its_label_and_its_image(tmp_path, changed, same):
    before = of(training=[case(tmp_path, "a")])
    after = of(training=[case(tmp_path, "a", **changed)])
    if same:
        check_record("resume.pt", before, after)
        return
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, after)


def test_a_dataset_may_be_moved(tmp_path):
    before = of(training=[case(tmp_path / "here", "a")])
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = {key: value.replace("/here/", "/there/") for key, value in case_at(tmp_path).items()}
    check_record("resume.pt", before, of(training=[moved]))


def case_at(folder):
    return {"case": "a", "image": f"{folder}/here/a.image", "label": f"{folder}/here/a.label"}


def test_an_image_may_be_a_folder(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    item = {**case(tmp_path, "a"), "image": str(series)}
    (series / "1.dcm").write_bytes(b"slice")
    before = of(training=[item])
    (series / "2.dcm").write_bytes(b"slice")
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, of(training=[item]))


def test_of_many_changes_the_first_are_named_and_the_others_counted(tmp_path):
    cases = [case(tmp_path, f"c{n}") for n in range(9)]
    with pytest.raises(ValueError, match=r"c0 is gone; .*c3 is gone; and 5 more\)"):
        check_record("resume.pt", of(training=cases), of())


RATE, BATCH = 0.0003, 4
CONFIG = {
    "fold": 0,
    "learning_rate": RATE,
    "batch_size": BATCH,
    "max_epochs": 5,
    "val_interval": 1,
    "num_workers": 2,
    "head_weights": "equal",
    "optimizer": {"_target_": "torch.optim.Adam", "lr": "@learning_rate"},
    "loss": {"_target_": "medseg.losses.deep_supervision", "weights": "@head_weights"},
    "augmentation": {"_target_": "Compose", "transforms": [{"_target_": "RandFlipd", "prob": 0.1}]},
    "train": {
        "dataloader": {"_target_": "DataLoader", "batch_size": "@batch_size", "shuffle": True},
        "trainer": {"_target_": "SupervisedTrainer", "max_epochs": "@max_epochs"},
        "handlers": [
            {"_target_": "medseg.engines.Progress"},
            {"_target_": "ValidationHandler", "interval": "@val_interval"},
        ],
    },
    "validate": {"dataloader": {"_target_": "DataLoader", "num_workers": "@num_workers"}},
    "seen": "$read_config_in_use()",
}
CHOSEN = ("fold", "learning_rate", "batch_size", "max_epochs", "val_interval", "num_workers")


def of_config(changes=(), *, handlers=()):
    """The record of CONFIG with overrides, by their keys, and with more handlers."""
    config = copy.deepcopy(CONFIG)
    config["train"]["handlers"] += handlers
    parser = ConfigParser(config)
    parser.globals["read_config_in_use"] = read_config_in_use
    parser.update(dict(changes))
    choices = {key: parser.get_parsed_content(key) for key in CHOSEN}
    seen = {key: v for key, v in parser.get_parsed_content("seen").items() if key != "seen"}
    return describe_run(choices, config=seen, training=[], validation=[])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer#lr": 0.1}, r"\(optimizer#lr was 0.0003, is 0.1\)"),
        (
            {"learning_rate": 0.1},
            r"\(learning_rate was 0.0003, is 0.1; optimizer#lr was 0.0003, is 0.1\)",
        ),
        (
            {"optimizer#_target_": "torch.optim.SGD"},
            r"\(optimizer#_target_ was torch.optim.Adam, is torch.optim.SGD\)",
        ),
        ({"optimizer#weight_decay": 1}, r"\(optimizer#weight_decay was absent, is 1\)"),
        (
            {"optimizer": {"_target_": "a.B"}},
            r"_target_ was torch.optim.Adam, is a.B; optimizer#lr was 0.0003, is absent",
        ),
        ({"loss#weights": "decaying"}, r"\(loss#weights was equal, is decaying\)"),
        ({"train#dataloader#batch_size": 1}, r"batch_size was 4, is 1\)"),
        ({"train#dataloader#shuffle": False}, r"train#dataloader#shuffle was True, is False\)"),
        ({"augmentation#transforms#0#prob": 0.9}, r"transforms#0#prob was 0.1, is 0.9\)"),
        ({"augmentation#transforms": []}, r"transforms#0#_target_ was RandFlipd, is absent"),
        ({"augmentation": None}, r"augmentation#_target_ was Compose, is absent"),
    ],
)
def test_another_setting_of_a_component_is_refused_with_both_values(changes, said):
    with pytest.raises(ValueError, match=f"resume.pt holds a run with other settings .*{said}"):
        check_record("resume.pt", of_config(), of_config(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer#lr": RATE},  # the same, written in another way
        {"optimizer#lr": "$3e-4"},
        {"optimizer#lr": "$@learning_rate * 1"},
        {"train#dataloader#batch_size": BATCH},
        {"loss#weights": "equal"},
        {"max_epochs": 9},
        {"val_interval": 2},
        {"train#trainer#max_epochs": 9},
        {"train#handlers#1#interval": 3},
        {"validate#dataloader#num_workers": 3},
        {"train#dataloader#pin_memory": True},
        {"network": "$ignite.distributed.auto_model(@network_def)"},
        {"validate#dataloader#sampler": {"_target_": "DistributedSampler"}},
        {"experiment_name": "tracked"},
    ],
)
def test_components_may_differ_in_words_in_how_long_and_by_what_machine(changes):
    check_record("resume.pt", of_config(), of_config(changes))
    check_record("resume.pt", of_config(changes), of_config())


@pytest.mark.parametrize("schedule", ["polynomial", "cosine", "one_cycle"])
def test_the_length_of_a_run_is_part_of_it_where_the_learning_rate_falls(schedule):
    before, after = (of({"lr_schedule": schedule, "max_epochs": n}) for n in (5, 9))
    with pytest.raises(ValueError, match=r"other settings \(max_epochs was 5, is 9\)"):
        check_record("resume.pt", before, after)
    free = [of({"lr_schedule": "constant", "warmup_epochs": 2, "max_epochs": n}) for n in (5, 9)]
    check_record("resume.pt", *free)


def test_another_schedule_or_warm_up_is_another_run():
    before = of({"lr_schedule": "cosine", "warmup_epochs": 0, "max_epochs": 5})
    after = of({"lr_schedule": "constant", "warmup_epochs": 2, "max_epochs": 5})
    said = r"lr_schedule was cosine, is constant; warmup_epochs was 0, is 2\)"
    with pytest.raises(ValueError, match=said):
        check_record("resume.pt", before, after)


@pytest.mark.parametrize("name", HANDLERS_WITHOUT_EFFECT)
def test_handlers_that_only_watch_may_come_and_go(name):
    more = of_config(handlers=[{"_target_": f"somewhere.{name}", "any": 1}])
    check_record("resume.pt", of_config(), more)
    check_record("resume.pt", more, of_config())


def test_a_handler_that_changes_what_is_learnt_is_refused_wherever_it_stands():
    warm = {"_target_": "LrScheduleHandler", "lr_scheduler": "@x"}
    watch = {"_target_": "StatsHandler"}
    with pytest.raises(ValueError, match="train#handlers#LrScheduleHandler#_target_ was absent"):
        check_record("resume.pt", of_config(), of_config(handlers=[warm]))
    with pytest.raises(ValueError, match="LrScheduleHandler 2#_target_ was absent, is LrSch"):
        check_record("resume.pt", of_config(handlers=[warm]), of_config(handlers=[warm, warm]))
    check_record("r.pt", of_config(handlers=[watch, warm]), of_config(handlers=[warm]))
    off = {**warm, "_disabled_": True}
    check_record("resume.pt", of_config(), of_config(handlers=[off]))


def test_the_batch_of_a_component_counts_for_all_processes_together(monkeypatch):
    one = of_config()
    monkeypatch.setattr(resume_record.idist, "get_world_size", lambda: 2)
    check_record("resume.pt", one, of_config({"batch_size": 2}))
    with pytest.raises(ValueError, match="batch_size was 4, is 8"):
        check_record("resume.pt", one, of_config())


def test_classes_in_another_order_are_other_classes_but_their_values_have_none():
    before = of({"classes": {"liver": [1, 2], "tumour": [3]}})
    check_record("resume.pt", before, of({"classes": {"liver": [2, 1], "tumour": [3]}}))
    with pytest.raises(ValueError, match=r"classes was .'liver.*, is .'tumour"):
        check_record("resume.pt", before, of({"classes": {"tumour": [3], "liver": [1, 2]}}))


def test_components_of_another_version_are_not_compared_but_a_warning_says_so(caplog):
    old = {key: of_config()[key] for key in ("choices", "training", "validation")}
    check_record("resume.pt", old, of_config({"optimizer#lr": 0.1}))
    check_record("resume.pt", of_config() | {"version": "0"}, of_config({"optimizer#lr": 0.1}))
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        "resume.pt was written by a version that recorded components differently"
    ] * 2


def changed(content, place):
    """The bytes with one of them another."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_an_image_of_the_same_size_with_one_other_byte_is_another_image(tmp_path):
    before = of(training=[case(tmp_path, "a", image=bytes(5000))])
    after = of(training=[case(tmp_path, "a", image=changed(bytes(5000), 2500))])
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, after)


@pytest.mark.parametrize("place", [0, -1])
def test_the_first_and_the_last_byte_of_a_large_image_count(tmp_path, place):
    large = bytes(17 * 2**20)
    before = of(training=[case(tmp_path, "a", image=large)])
    other = changed(large, place % len(large))
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, of(training=[case(tmp_path, "a", image=other)]))


def test_images_of_two_cases_that_change_places_are_refused(tmp_path):
    a, b = case(tmp_path, "a", image=b"one"), case(tmp_path, "b", image=b"two")
    swapped = [{**a, "image": b["image"]}, {**b, "image": a["image"]}]
    with pytest.raises(ValueError, match=r"case a has another .*case b has another"):
        check_record("resume.pt", of(training=[a, b]), of(training=swapped))


def test_a_slice_of_a_series_that_changes_is_another_image(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    item = {**case(tmp_path, "a"), "image": str(series)}
    for name in "123":
        (series / f"{name}.dcm").write_bytes(name.encode())
    before = of(training=[item])
    (series / "2.dcm").write_bytes(b"9")
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, of(training=[item]))


def test_a_record_without_digests_of_images_still_resumes(tmp_path):
    items = [case(tmp_path, "a")]
    now = of(training=items)
    check_record("resume.pt", {k: v for k, v in now.items() if k != "images"}, now)


def test_the_epochs_are_not_among_what_may_change_where_the_learning_rate_falls_over_them():
    falling = {"max_epochs": 9, "lr_schedule": "cosine"}
    records = [
        describe_run({**falling, "max_epochs": n}, training=[], validation=[]) for n in (9, 10)
    ]
    with pytest.raises(ValueError, match=r"max_epochs was 9, is 10.*; only patience, num_workers"):
        check_record("resume.pt", *records)
