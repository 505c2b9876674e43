"""File words: the words in the names of files and folders, and those that say what a file is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from medseg.ingest.formats import is_picture_file, strip_suffix

_LABEL_WORDS = """
    label labels labelstr labelsts labelsva lbl lbls mask masks msk msks seg segs segm segmentation
    segmentations dseg gt gts groundtruth truth annotation annotations annot roi rois manual target
    targets
    maske masken etikett etiketten segmentierung segmentierungen annotationen
    masque masques etiquette etiquettes
    mascara mascaras etiqueta etiquetas segmentacion segmentaciones anotacion anotaciones
    maschera maschere etichetta etichette segmentazione segmentazioni
    rotulo rotulos segmentacao segmentacoes
"""
_IMAGE_WORDS = """
    image images imagestr imagests imagesva img imgs scan scans volume volumes vol data raw input
    inputs original originals
    bild bilder aufnahme aufnahmen daten
    donnees
    imagen imagenes datos
    immagine immagini dati
    imagem imagens dados
"""  # English, German, French, Spanish, Italian, Portuguese; without accents
LABEL_WORDS = frozenset(_LABEL_WORDS.split())
IMAGE_WORDS = frozenset(_IMAGE_WORDS.split())

_CT_WORDS = frozenset(("ct", "cta", "cect", "ncct", "cbct", "hrct", "ldct"))
_OTHER_KINDS = frozenset(("mr", "mri", "mra", "pt", "pet", "us", "nm", "spect"))

_ACCENTS = re.compile("[\u0300-\u036f]")


class Word(str):
    """A word in small letters and without accents, by which it is compared, and how it is spelled.

    Example:
        >>> Word("Étude") == "etude", Word("Étude").spelled
        (True, 'Étude')
    """

    __slots__ = ("spelled",)

    spelled: str

    def __new__(cls, spelled: str) -> Word:
        """The word, compared by its small letters."""
        word = super().__new__(
            cls, _ACCENTS.sub("", unicodedata.normalize("NFKD", spelled.casefold()))
        )
        word.spelled = spelled
        return word


def split_path(path: PurePosixPath) -> list[list[Word]]:
    """The words of each part of a path.

    "mask12" is two words, as the first is one of `LABEL_WORDS`, and "t1ce" is one.

    Example:
        >>> split_path(PurePosixPath("Etiquetas/Mask12_t1ce.nii.gz"))
        [['etiquetas'], ['mask', '12', 't1ce']]
    """
    stem = path.stem if is_picture_file(path.name) else strip_suffix(path.name)
    return [_split_name(part) for part in (*path.parts[:-1], stem)]


def _split_name(name: str) -> list[Word]:
    words: list[Word] = []
    for spelled in re.findall(r"[^\W_]+", unicodedata.normalize("NFC", name)):
        word = Word(spelled)
        letters, digits = re.fullmatch(r"([a-z]*)(.*)", word).groups()  # type: ignore[union-attr]
        is_known = letters in LABEL_WORDS | IMAGE_WORDS and digits.isdigit()
        words += [Word(letters), Word(digits)] if is_known else [word]
    return words


def make_key(parts: Sequence[Sequence[Word]]) -> tuple[Word, ...]:
    """The words that name a case, in their order, of those of each part of a path.

    A word of a folder that the name of the file has too is left out: a folder often has the name of
    the case that its files have.
    """
    *folders, stem = parts
    words = [word for folder in folders for word in folder if word not in stem]
    return tuple(w for w in (*words, *stem) if w not in LABEL_WORDS | IMAGE_WORDS)


def spell(words: Iterable[str]) -> str:
    """Words as they are spelled in names, joined by underscores."""
    return "_".join(getattr(word, "spelled", word) for word in words)


def find_kind(name: str) -> str:
    """ "CT" if a name says so, "other" if it names another modality, "" if neither.

    Example:
        >>> find_kind("case7_CT.nii.gz"), find_kind("PET"), find_kind("flair")
        ('CT', 'other', '')
    """
    words = set(_split_name(name))
    if words & _CT_WORDS:
        return "CT"
    return "other" if words & _OTHER_KINDS else ""
