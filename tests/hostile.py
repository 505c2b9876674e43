"""Hostile: names that a file may have, on which MONAI, a shell or a terminal could act."""

RUN_BY_MONAI = (
    '$__import__("os").system("touch pwned")',
    '{"_target_":"os.system","command":"touch pwned"}',
    *("$x", "@weights", "@d", "%p", "@#x", "%##x", "a#b", "a::b", "import os"),
)
READ_AS_ANOTHER_TYPE = ("12345", "12_03", "true", "null", "None", "1e3", "[1]", "{b}", "2023-01")
ODD_TEXT = (
    *("-x", "--x", "~", "a=b", " lead", "trail ", 'it\'s "q"', "back\\slash", "%s", "[red]m[bold]"),
    *("two\nlines", "esc\x1b[31m", "\u202edcm", "é中", "\udcff\udc80"),
)
NAMES = (*RUN_BY_MONAI, *READ_AS_ANOTHER_TYPE, *ODD_TEXT)
