"""File words: the words in the names of files and folders, and those that say what a file is."""

from __future__ import annotations

import re
import unicodedata
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

_ACCENTS = re.compile("[\u0300-\u036f]")


def split_path(path: PurePosixPath) -> list[list[str]]:
    """The words of each part of a path, in small letters and without accents.

    "mask12" is two words, as the first is one of `LABEL_WORDS`, and "t1ce" is one.

    Example:
        >>> split_path(PurePosixPath("Etiquetas/Mask12_t1ce.nii.gz"))
        [['etiquetas'], ['mask', '12', 't1ce']]
    """
    stem = path.stem if is_picture_file(path.name) else strip_suffix(path.name)
    return [_split_name(part) for part in (*path.parts[:-1], stem)]


def _split_name(name: str) -> list[str]:
    words: list[str] = []
    parts = unicodedata.normalize("NFKD", name.casefold())
    for word in re.findall(r"[^\W_]+", _ACCENTS.sub("", parts)):
        letters, digits = re.fullmatch(r"([a-z]*)(.*)", word).groups()  # type: ignore[union-attr]
        is_known = letters in LABEL_WORDS | IMAGE_WORDS and digits.isdigit()
        words += [letters, digits] if is_known else [word]
    return words
