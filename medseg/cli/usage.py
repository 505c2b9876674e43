"""CLI usage: a faulty command line is one plain line on the standard error, with exit status 2."""

import copy
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from medseg.base.interrupts import STATUS
from medseg.base.text import escape_unprintable

BAD_ARGUMENTS, INTERRUPTED = 2, STATUS

UsageError: Any = typer.BadParameter.__base__
"""Of the click that this typer uses: newer ones bring their own."""

_OTHER_NAMES = {
    **dict.fromkeys(("predict", "infer", "inference", "seg", "run"), "segment"),
    **dict.fromkeys(("fit", "learn"), "train"),
    **dict.fromkeys(("eval", "test", "score", "validate"), "evaluate"),
    **dict.fromkeys(("convert", "preprocess"), "prepare"),
    **dict.fromkeys(("models", "list", "info"), "bundles"),
}
"""What other programs call a verb, and its name here."""

_WORDS = "medseg.words"
_ASKS_NOTHING = "medseg.asks_nothing"
LIST_KEYS = "--list"
"""Option of a verb that prints what can be set; the verb then needs no other word."""


class PlainCommand(TyperCommand):
    """A verb in whose help a flag, which takes no value, has no type beside it.

    Where it has the option `--list` and is given it, no other option or argument is required.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the verb."""
        known = list_option_names(self.params)
        ctx.meta[_ASKS_NOTHING] = LIST_KEYS in args and LIST_KEYS in known
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> Any:
        """The options and arguments, `--help` included."""
        params = _hide_types(super().get_params(ctx))
        if ctx.meta.get(_ASKS_NOTHING):
            params = [copy.copy(param) for param in params]
            for param in params:
                param.required = False
        return params


class PlainSubgroup(TyperGroup):
    """A group of verbs below the outermost, with help as that of `PlainCommand`."""

    def get_params(self, ctx: Any) -> Any:
        """The options, `--help` included."""
        return _hide_types(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group of verbs that says what is wrong with a command line in one line, without a box.

    Pass it to the outermost `typer.Typer(cls=...)`; it speaks for the verbs and groups below, too.

    Example:
        $ medseg inspect --jsn study
        error: no such option --jsn: did you mean --json?
    """

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **more: Any) -> Any:
        """Parse the words that stand before the verb."""
        words = list(args)
        with _report_in_one_line(words, verb="medseg"):
            context = super().make_context(info_name, args, *rest, **more)
        context.meta[_WORDS] = words
        return context

    def invoke(self, ctx: Any) -> Any:
        """Find the verb, parse its words and run it."""
        words = ctx.meta[_WORDS]
        with _report_in_one_line(words, verb=" ".join(["medseg", *_find_verb(self, words)])):
            return super().invoke(ctx)

    def get_params(self, ctx: Any) -> Any:
        """The options, `--help` included; see `PlainCommand`."""
        return _hide_types(super().get_params(ctx))


def _hide_types(params: Any) -> Any:
    """Take away from the help the types that say nothing: of flags, and of named arguments."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument":
            param.display_type_rich = lambda *, ctx: None
    return params


def _find_verb(group: Any, words: Sequence[str]) -> Iterator[str]:
    """The words that name a verb, from the first one on."""
    for word in words:
        if word not in getattr(group, "commands", {}):
            return
        group = group.commands[word]
        yield word


@contextmanager
def _report_in_one_line(words: Sequence[str], *, verb: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # not a fault: the help is shown
            raise
        line = " ".join(_explain(error, words, verb=verb).split())
        sys.stderr.write(f"error: {escape_unprintable(line)}\n")
        if _asks_for_json(words):
            _write_json(line, words)
        raise typer.Exit(BAD_ARGUMENTS) from None
    except KeyboardInterrupt:  # before the verb itself takes care of it
        sys.stderr.write("\ninterrupted: run it again\n")
        if _asks_for_json(words):
            _write_json("interrupted: run it again", words)
        raise typer.Exit(INTERRUPTED) from None


def _asks_for_json(words: Sequence[str]) -> bool:
    return any(word.split("=")[0] == "--json" for word in words)


def _write_json(line: str, words: Sequence[str]) -> None:
    """What stands for the document of a verb with `--json`."""
    import json

    from medseg.cli.documents.inspect_document import make_fault_document

    is_inspect = words[:1] == ["inspect"]
    document = make_fault_document(line, None) if is_inspect else {"error": line}
    sys.stdout.write(f"{json.dumps(document, indent=2)}\n")


def _explain(error: Any, words: Sequence[str], *, verb: str) -> str:
    """Rule, value and remedy."""
    if misspelt := _find_misspelt_option(error, words):
        name, near = misspelt
        return f"no such option {name}: " + (
            f"did you mean {near}?" if near else _point_to_help(verb)
        )
    if type(error) is typer.BadParameter and error.param is None:
        return str(error.message)  # one of ours, which says it all
    if verb == "medseg" and (meant := _find_other_name(error)):
        return f"no such command '{meant[0]}': did you mean '{meant[1]}'?"
    text = error.format_message().rstrip(".")
    text = text[:1].lower() + text[1:]
    return (
        text.replace(". Did you", ": did you")
        if text.endswith("?")
        else f"{text}: {_point_to_help(verb)}"
    )


def _find_other_name(error: Any) -> tuple[str, str] | None:
    """A verb that is called otherwise here, as it was typed and as it is called."""
    found = re.match(r"No such command '(\w+)'", error.format_message())
    if found is None or found[1] not in _OTHER_NAMES:
        return None
    return found[1], _OTHER_NAMES[found[1]]


def _point_to_help(verb: str) -> str:
    return f"see {verb} --help"


def _find_misspelt_option(error: Any, words: Sequence[str]) -> tuple[str, str | None] | None:
    """The option that does not exist, if that is the fault, and the one that was meant, if any.

    A verb that takes overrides takes a misspelt option for one, and then misses the option.
    """
    if error.ctx is None:
        return None
    from medseg.base.choices.safeguards import find_near_key

    known = list_option_names(error.ctx.command.params)
    if type(error).__name__ == "NoSuchOption":
        return error.option_name, find_near_key(error.option_name, known)
    param = getattr(error, "param", None)
    missing = [] if param is None else list_option_names([param])
    missing += [name for name in known if name == LIST_KEYS]  # with it, nothing is missing
    for word in (word.partition("=")[0] for word in words if word.startswith("--")):
        near = find_near_key(word, missing)
        if near and word not in known:
            return word, near
    return None


def refuse_misspelt_option(context: typer.Context, word: str) -> None:
    """Refuse a word that is nearly an option of the verb; where it is none, nothing happens.

    Raises:
        typer.BadParameter: it is nearly an option; the error names it.
    """
    from medseg.base.choices.safeguards import find_near_key

    name = word.partition("=")[0]
    near = find_near_key(name, list_option_names(context.command.params))
    if name.startswith("--") and near:
        raise typer.BadParameter(f"no such option {name}: did you mean {near}?")


def list_option_names(params: Sequence[Any]) -> list[str]:
    """Long names of the options among the parameters of a verb."""
    named = (name for param in params for name in (*param.opts, *param.secondary_opts))
    return [name for name in named if name.startswith("--")]
