"""Catalogue: where the datasets of the bundles come from, on which terms, and how to check them.

Nothing here is fetched by importing it. The files of a dataset are tried at its mirrors in the
order of this table. A checksum stands here only where somebody published one; sizes likewise. What
has neither is checked against the length that the server states, and its SHA-256 is recorded beside
it, see `medseg.datasets.download.fetch`.

Sources of the checksums: MSD: MONAI 1.6.1, `monai.apps.DecathlonDataset` (MD5), and torch-em,
`torch_em/data/datasets/medical/msd.py` (SHA-256); Kvasir-SEG: torch-em, `medical/kvasir.py`
(SHA-256); brain tumours: the record of figshare, version 8 (MD5). Addresses: AWS Open Data registry
(https://registry.opendata.aws/msd/), and the pages given with each dataset.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One published file: its name, its mirrors in the order they are tried, and how to check it.

    Attributes:
        name: name on disk.
        urls: addresses of the same bytes.
        size: length in bytes, or None where nobody published it.
        sha256: digest in hexadecimal, or None.
        md5: likewise; it is used where there is no `sha256`, and shows damage, not forgery.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def check(self) -> str:
        """What a copy is compared with, in words."""
        published = "SHA-256" if self.sha256 else "MD5" if self.md5 else None
        if published is None:
            return "no published checksum: length as the server states, SHA-256 recorded"
        return f"published {published}"


@dataclass(frozen=True)
class Dataset:
    """One dataset: what it is, its licence, and its files or the steps that a person takes.

    Attributes:
        name: what `medseg download` calls it.
        title: name and content in a few words.
        licence: short name of the licence.
        terms: what it allows and asks, in a sentence or two; the page has the whole text.
        page: where the dataset is described.
        files: what can be fetched without a login; empty where nothing can.
        steps: how to get it by hand, where `files` is empty.
        then: what to do with the files.
    """

    name: str
    title: str
    licence: str
    terms: str
    page: str
    files: tuple[File, ...] = ()
    steps: tuple[str, ...] = ()
    then: str = ""

    @property
    def is_by_hand(self) -> bool:
        """Whether a person has to fetch it: behind a login, or with a program of its own."""
        return not self.files

    def format_notice(self) -> str:
        """Title, licence, terms and page, one line each."""
        return f"{self.title}\nLicence: {self.licence}\n{self.terms}\nSee {self.page}"


def find(name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        ValueError: no such dataset.

    Example:
        >>> find("hippocampus").licence
        'CC BY-SA 4.0'
    """
    if name not in CATALOGUE:
        raise ValueError(f"dataset {name!r} is unknown: choose one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


_FIGSHARE = "https://ndownloader.figshare.com/files/"
_MSD_TERMS = (
    "Any use, commercial too, if you name the source; what you make from the data and pass on "
    "carries the same licence."
)


def _make_msd_file(task: str, *, size: int, sha256: str, md5: str) -> File:
    hosts = ("msd-for-monai.s3-us-west-2", "msd-for-monai-eu.s3.eu-west-2")
    urls = tuple(f"https://{host}.amazonaws.com/{task}.tar" for host in hosts)
    return File(f"{task}.tar", urls, size=size, sha256=sha256, md5=md5)


def _make_figshare_file(name: str, number: int, *, size: int, md5: str) -> File:
    return File(name, (f"{_FIGSHARE}{number}",), size=size, md5=md5)


_DATASETS = (
    Dataset(
        name="liver",
        title="MSD Task03_Liver: 201 abdominal CTs, liver and tumours (the data of LiTS)",
        licence="CC BY-SA 4.0",
        terms=_MSD_TERMS,
        page="http://medicaldecathlon.com",
        files=(
            _make_msd_file(
                "Task03_Liver",
                size=28_925_891_584,
                sha256="4007d9db1acda850d57a6ceb2b3998b7a0d43f8ad5a3f740dc38bc0cb8b7a2c5",
                md5="a90ec6c4aa7f6a3d087205e23d4e6397",
            ),
        ),
        then="unpack it with tar -xf Task03_Liver.tar, then run medseg prepare liver with "
        "Task03_Liver as --source",
    ),
    Dataset(
        name="hippocampus",
        title="MSD Task04_Hippocampus: 390 small MR volumes, two parts of the hippocampus",
        licence="CC BY-SA 4.0",
        terms=_MSD_TERMS,
        page="http://medicaldecathlon.com",
        files=(
            _make_msd_file(
                "Task04_Hippocampus",
                size=28_425_216,
                sha256="282d808a3e84e5a52f090d9dd4c0b0057b94a6bd51ad41569aef5ff303287771",
                md5="9d24dba78a72977dbd1d2e110310f31b",
            ),
        ),
        then="unpack it with tar -xf Task04_Hippocampus.tar, then run medseg prepare hippocampus "
        "with Task04_Hippocampus as --source",
    ),
    Dataset(
        name="nuclei",
        title="Data Science Bowl 2018, stage 1 training set (BBBC038v1): 670 pictures of nuclei",
        licence="CC0 1.0",
        terms="No conditions. The authors ask to be cited (Caicedo et al., Nature Methods, 2019).",
        page="https://bbbc.broadinstitute.org/BBBC038",
        files=(
            File(
                "stage1_train.zip",
                ("https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",),
            ),
        ),
        then="run medseg prepare nuclei with stage1_train.zip as --source",
    ),
    Dataset(
        name="polyp",
        title="Kvasir-SEG: 1000 colonoscopy pictures of polyps",
        licence="research and education",
        terms="Research and education only, with citation (Jha et al., MMM 2020). Commercial use "
        "needs the written permission of the authors.",
        page="https://datasets.simula.no/kvasir-seg/",
        files=(
            File(
                "kvasir-seg.zip",
                (
                    "https://datasets.simula.no/downloads/kvasir-seg.zip",
                    "https://datasets.simula.no/kvasir-seg/Kvasir-SEG.zip",
                ),
                sha256="03b30e21d584e04facf49397a2576738fd626815771afbbf788f74a7153478f7",
            ),
        ),
        then="run medseg prepare polyp with kvasir-seg.zip as --source",
    ),
    Dataset(
        name="polyp_clinicdb",
        title="CVC-ClinicDB: 612 colonoscopy frames of 29 sequences with polyps",
        licence="research and education",
        terms="Research and education only, no commercial use, with citation (Bernal et al., "
        "Computerized Medical Imaging and Graphics, 2015).",
        page="https://polyp.grand-challenge.org/CVCClinicDB/",
        files=(
            File(
                "CVC-ClinicDB.rar",
                ("https://www.dropbox.com/s/p5qe9eotetjnbmq/CVC-ClinicDB.rar?dl=1",),
            ),
        ),
        then="unpack CVC-ClinicDB.rar, then run medseg prepare polyp with the folder as --source",
    ),
    Dataset(
        name="brain_tumor",
        title="Brain tumour dataset of Cheng: 3064 contrast-enhanced T1 slices of 233 patients",
        licence="CC BY 4.0",
        terms="Any use, commercial too, if you name the source (doi 10.6084/m9.figshare.1512427).",
        page="https://figshare.com/articles/dataset/brain_tumor_dataset/1512427",
        files=(
            _make_figshare_file(
                "brainTumorDataPublic_1-766.zip",
                3381290,
                size=214_401_279,
                md5="74b949ad33f042e6e103523091cd1428",
            ),
            _make_figshare_file(
                "brainTumorDataPublic_767-1532.zip",
                3381296,
                size=217_848_429,
                md5="7e8a875500d2c8a346f270538e29890e",
            ),
            _make_figshare_file(
                "brainTumorDataPublic_1533-2298.zip",
                3381293,
                size=215_563_856,
                md5="8227bf6080cb71f15a88be8d25c79ae7",
            ),
            _make_figshare_file(
                "brainTumorDataPublic_2299-3064.zip",
                3381302,
                size=231_679_762,
                md5="b378a80d6174e5317d59eb28430c6652",
            ),
            _make_figshare_file(
                "cvind.mat", 7005344, size=5_736, md5="5ea82eb3212c9fcb84290ccf0beb486d"
            ),
        ),
        then="run medseg prepare brain_tumor with that folder as --source",
    ),
    Dataset(
        name="em_membrane",
        title="ISBI 2012 EM challenge: 30 slices of a fly's nerve cord, cell membranes",
        licence="non-commercial",
        terms="Free for making and testing non-commercial segmentation software, with citation "
        "(Cardona et al., PLoS Biology, 2010; Arganda-Carreras et al., Frontiers in Neuroanatomy, "
        "2015).",
        page="http://brainiac2.mit.edu/isbi_challenge/home",
        steps=(
            "register at http://brainiac2.mit.edu/isbi_challenge/home",
            "download train-volume.tif, train-labels.tif and test-volume.tif into one folder",
            "run medseg prepare em_membrane with that folder as --source",
        ),
    ),
    Dataset(
        name="lung_nodule",
        title="LIDC-IDRI: 1018 chest CTs with the lung nodules of four readers",
        licence="CC BY 3.0",
        terms="Any use, commercial too, if you name the source (Armato et al., Medical Physics, "
        "2011) and keep to the data usage policy of TCIA.",
        page="https://www.cancerimagingarchive.net/collection/lidc-idri/",
        steps=(
            "install the NBIA Data Retriever of TCIA, the only program that reads its manifests",
            "download the manifest of the images and the XML annotations from "
            "https://www.cancerimagingarchive.net/collection/lidc-idri/",
            "open the manifest in the NBIA Data Retriever and fetch it into one folder",
            "run medseg prepare lung_nodule with that folder as --source",
        ),
    ),
    Dataset(
        name="kitti_road",
        title="KITTI road: 289 labelled pictures of streets, with the road marked",
        licence="CC BY-NC-SA 3.0",
        terms="Non-commercial use only, with citation (Fritsch et al., ITSC 2013); what you make "
        "from the data and pass on carries the same licence.",
        page="https://www.cvlibs.net/datasets/kitti/eval_road.php",
        steps=(
            "register at https://www.cvlibs.net/datasets/kitti/user_register.php and log in",
            "ask for the base kit at http://www.cvlibs.net/download.php?file=data_road.zip",
            "download data_road.zip by the link that is mailed to you or shown",
            "run medseg prepare kitti_road with data_road.zip as --source",
        ),
    ),
    Dataset(
        name="cityscapes",
        title="Cityscapes, fine annotations: 3475 labelled street scenes of 21 cities, 19 classes",
        licence="Cityscapes licence",
        terms="Non-commercial use only, with citation (Cordts et al., CVPR 2016); neither the data "
        "nor changed versions of it may be passed on.",
        page="https://www.cityscapes-dataset.com/license/",
        steps=(
            "register at https://www.cityscapes-dataset.com/register/ and log in",
            "download gtFine_trainvaltest.zip (241 MB) and leftImg8bit_trainvaltest.zip (11 GB) "
            "from https://www.cityscapes-dataset.com/downloads/ into one folder",
            "run medseg prepare cityscapes with that folder as --source",
        ),
    ),
)

CATALOGUE: dict[str, Dataset] = {dataset.name: dataset for dataset in _DATASETS}
"""Every dataset by its name, in the order of the table."""
