"""Tests of medseg.datasets.download.catalogue: the table is complete and its entries make sense."""

import hashlib
import re
import sys
from urllib.parse import urlsplit

import pytest

from medseg.datasets.download.catalogue import CATALOGUE, File, find
from medseg.datasets.prepare import MODULES

FILES = [file for dataset in CATALOGUE.values() for file in dataset.files]
PREPARED = re.compile(r"medseg prepare (\w+) with")


@pytest.mark.parametrize("dataset", CATALOGUE.values(), ids=list(CATALOGUE))
def test_a_dataset_has_files_or_steps_and_not_both(dataset):
    assert bool(dataset.files) != bool(dataset.steps)
    assert dataset.is_by_hand == bool(dataset.steps)
    assert bool(dataset.then) == bool(dataset.files)


@pytest.mark.parametrize("dataset", CATALOGUE.values(), ids=list(CATALOGUE))
def test_the_notice_has_title_licence_terms_and_page_in_four_lines(dataset):
    title, licence, terms, page = dataset.format_notice().splitlines()
    assert title == dataset.title
    assert licence == f"Licence: {dataset.licence}"
    assert terms == dataset.terms
    assert terms.endswith((".", ")"))
    assert urlsplit(page.removeprefix("See ")).scheme in ("http", "https")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_has_mirrors_by_https_and_digests_of_the_right_length(file):
    assert file.urls
    assert all(urlsplit(url).scheme == "https" for url in file.urls)
    assert len(set(file.urls)) == len(file.urls)
    for kind in ("sha256", "md5"):
        if published := getattr(file, kind):
            assert re.fullmatch(r"[0-9a-f]+", published)
            assert len(published) == hashlib.new(kind).digest_size * 2


def test_files_differ_in_name_address_and_digest():
    assert len({file.name for file in FILES}) == len(FILES)
    urls = [url for file in FILES for url in file.urls]
    assert len(set(urls)) == len(urls)
    digests = [file.sha256 or file.md5 for file in FILES if file.sha256 or file.md5]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("dataset", CATALOGUE.values(), ids=list(CATALOGUE))
def test_the_dataset_named_in_what_to_do_next_has_a_converter(dataset):
    named = PREPARED.findall(" ".join((dataset.then, *dataset.steps)))
    assert set(named) <= set(MODULES)


def test_the_md5_of_the_decathlon_are_those_of_monai():
    from monai.apps import DecathlonDataset  # slow to import

    for dataset, task in (("liver", "Task03_Liver"), ("hippocampus", "Task04_Hippocampus")):
        file = find(dataset).files[0]
        assert file.md5 == DecathlonDataset.md5[task]
        assert file.urls[0] == DecathlonDataset.resource[task]


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"sha256": "0" * 64, "md5": "0" * 32}, "published SHA-256"),
        ({"md5": "0" * 32}, "published MD5"),
        ({"size": 7}, "no published checksum: length as the server states, SHA-256 recorded"),
    ],
)
def test_what_a_copy_is_compared_with_is_said_in_words(checks, words):
    assert File("a", ("https://example.org/a",), **checks).check == words


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'lits' is unknown: choose one of liver, hippocampus, "):
        find("lits")


def test_the_table_is_read_without_numpy():
    """So that the licence is on the screen at once; checked in a process of its own."""
    import subprocess

    code = (
        "import sys; from medseg.datasets.download import catalogue, fetch;"
        "print([name for name in ('numpy', 'torch', 'monai') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr
