"""New verb: a bundle for one's own data."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from medseg.cli.errors import one_line_errors
from medseg.cli.numbers import NumberOption, WholeOption
from medseg.cli.output import Json, say_error_as_json
from medseg.cli.paths import PathOption


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new bundle.")],
    data: Annotated[
        Path,
        PathOption(
            "--data", help="Folder of images and labels, or a table (.csv) that names them."
        ),
    ],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder of the bundles.")] = Path(
        "bundles"
    ),
    images: Annotated[
        str | None, typer.Option(help="Pattern of the images, where names do not tell: '*_ct.nii'.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Pattern of the labels, likewise. Or, for DICOM and where each structure has a "
            "file, which names are which class: 'Kidney*=kidney'; pass it once for each class."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="""Classes and their label values: "{'kidney': [1, 2]}"."""),
    ] = None,
    patients: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose group is the patient in a case's name: '(p[0-9]+)_'."
        ),
    ] = None,
    readers: Annotated[
        str | None,
        typer.Option(
            help="What several readers' labels of a case become: consensus (what at least half of "
            "them drew), staple, or mean (soft labels)."
        ),
    ] = None,
    readers_as_bits: Annotated[
        bool,
        typer.Option(
            "--readers-as-bits/--no-readers-as-bits",
            help="One label file of a case holds its --readers, each as a bit: 5 is the first and "
            "the third.",
        ),
    ] = False,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Channels of the images to use, in this order, such as flair,t1; also the names "
            "of those of a 4D file. Of DICOM series, which descriptions are which channel, where "
            "the names do not tell: '*FLAIR*=flair,*MPRAGE*=t1'.",
        ),
    ] = None,
    allow_missing_channel: Annotated[
        bool,
        typer.Option(
            "--allow-missing-channel/--no-allow-missing-channel",
            help="Accept cases without some of the channels, and train for that.",
        ),
    ] = False,
    resample_channels: Annotated[
        bool,
        typer.Option(
            "--resample-channels/--no-resample-channels",
            help="Resample channels on another grid onto that of the first.",
        ),
    ] = False,
    dims: Annotated[
        str | None,
        typer.Option(
            help="Of the network for volumes: 3d, 2d (slice by slice) or both, which also makes "
            "the bundle NAME_2d, on the same cases and folds. \\[default: 3d]"
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="small (CPU, minutes), medium (GPU, hours) or large (GPU, days).")
    ] = "small",
    hours: Annotated[
        float | None,
        NumberOption(
            help="Hours that the training may take, after which it ends with validated weights."
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory that a step of the training may take, such as 6GiB. Patches are made "
            "smaller until it fits.",
        ),
    ] = None,
    replan: Annotated[
        bool,
        typer.Option(
            "--replan",
            help="Plan a bundle again that this command made, with its options where they are left "
            "out; to leave one out now, pass it empty: --readers ''. What you changed in its "
            "task.json stays.",
        ),
    ] = False,
    measure: Annotated[
        bool, typer.Option(help="Try a few steps, to say how long they take and what they need.")
    ] = True,
    seed: Annotated[int, WholeOption(help="Of the test patients and the folds.")] = 0,
    json: Json = False,
) -> None:
    """Make a bundle for your own images and labels: check them, plan, and write it.

    It trains nothing: that is what train -b NAME is for. The images stay where they are. The file
    task.json in the bundle has every choice: change it, and run bundles build NAME.

    Example: [cyan]medseg new kidney --data my_scans[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        options: dict[str, Any] = {
            "images": images,
            "labels": labels or [],
            "classes": classes,
            "patients": patients,
            "readers": readers,
            "readers_as_bits": readers_as_bits,
            "channels": channels,
            "allow_missing_channel": allow_missing_channel,
            "resample_channels": resample_channels,
            "dims": dims,
            "preset": preset or "small",
            "seed": seed,
        }
        options = _settle(out / name, options, context, replan=replan)
        names = _name_bundles(name, options["dims"])
        _check_early(options, data, out, names, replan=replan)

        from medseg.bundles.own.asked import write_asked
        from medseg.bundles.own.make_bundle import make_bundles
        from medseg.bundles.own.undo import undo_large_on_error, undo_on_error
        from medseg.cli.documents.plan_document import tell_bundles
        from medseg.datasets.own.channels import ChannelRules
        from medseg.datasets.own.class_names import parse_classes
        from medseg.inference.tiles.memory_plan import parse_bytes
        from medseg.planning.collect_notes import collect_notes
        from medseg.planning.plan_folder import CASE_FILES, plan_folder
        from medseg.planning.planned_folder import LIST_FILES, LISTS

        most_bytes = None if memory is None else parse_bytes(memory)
        _check_budget(hours, most_bytes, measure=measure)
        given = None if options["classes"] is None else parse_classes(options["classes"])
        folder = LISTS / name
        with (
            redirect_stdout(sys.stderr) if json else nullcontext(),
            undo_large_on_error(folder, CASE_FILES),
            undo_on_error([folder / file for file in LIST_FILES]),
        ):
            with collect_notes() as notes:
                planned = plan_folder(
                    name,
                    data,
                    images=options["images"],
                    labels=options["labels"],
                    classes=given,
                    patients=options["patients"],
                    readers=options["readers"],
                    readers_as_bits=options["readers_as_bits"],
                    channels=ChannelRules.parse(
                        options["channels"],
                        allow_missing=options["allow_missing_channel"],
                        resample=options["resample_channels"],
                    ),
                    preset=options["preset"],
                    dims="3d" if options["dims"] == "both" else options["dims"],
                )
                plans = [planned, *(planned.cut_into_slices(more) for more in names[1:])]
                datalist = planned.write_datalist(seed=options["seed"])
            made = make_bundles(
                out,
                [replace(each.fit_folds(), notes=notes) for each in plans],
                replan=replan,
                measure=measure,
                hours=hours,
                most_bytes=most_bytes,
            )
            for one, dims in zip(made, [options["dims"], "2d"], strict=False):
                write_asked(one.folder, {**options, "dims": dims})
        tell_bundles(made, datalist, json=json)


def _settle(
    bundle: Path, options: dict[str, Any], context: typer.Context, *, replan: bool
) -> dict[str, Any]:
    """The options without empty ones; of a new plan as in the last where they are left out."""
    from medseg.bundles.own.asked import drop_empty, recall_asked

    if not replan:
        return drop_empty(options)
    sources = {key: context.get_parameter_source(key) for key in options}
    stated = [key for key, source in sources.items() if source and source.name == "COMMANDLINE"]
    return drop_empty(recall_asked(bundle, options, stated))


def _name_bundles(name: str, dims: str | None) -> list[str]:
    """The names of the bundles: of one, or of one in 3D and one in 2D."""
    from medseg.base.arguments import check_choice

    if dims is not None:
        check_choice("dims", dims, ("2d", "3d", "both"))
    return [name, f"{name}_2d"] if dims == "both" else [name]


def _check_early(
    options: Mapping[str, Any], data: Path, out: Path, names: Iterable[str], *, replan: bool
) -> None:
    """Refuse what needs no look at the cases, before importing what takes seconds."""
    from medseg.base.arguments import check_choice
    from medseg.bundles.own.write_bundle import check_new
    from medseg.datasets.own.readers.combine import METHODS
    from medseg.planning.task import PRESETS

    check_choice("preset", options["preset"], PRESETS)
    if options["readers"] is not None:
        check_choice("readers", options["readers"], METHODS)
    elif options["readers_as_bits"]:
        raise ValueError(
            "--readers-as-bits says how the labels of several readers are stored: pass --readers "
            "consensus, staple or mean, too"
        )
    for name in names:
        if not replan:
            check_new(out, name)
        elif not (out / name).is_dir():
            raise FileNotFoundError(f"no bundle {out / name} to plan again: leave --replan out")
    if not data.exists():
        raise FileNotFoundError(
            f"no folder or table {data.absolute()}: give the folder of images and labels, or a .csv"
        )


def _check_budget(hours: float | None, most_bytes: int | None, *, measure: bool) -> None:
    """Refuse a budget of time or memory where no step is tried that it could be compared with."""
    if most_bytes is not None and not measure:
        raise ValueError("--memory tries steps: leave --no-measure out")
    if hours is not None and (hours <= 0 or not measure):
        raise ValueError(
            "--hours sets the epochs by steps that are tried: pass a number above 0, without "
            "--no-measure"
        )
