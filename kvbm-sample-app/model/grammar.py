"""Templates: "[a|b]" is one of its parts, and "{slot}" a value that the whole text agrees on."""

import re


def article(phrase):
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def expand(rng, template, slots):
    """The template with its alternatives chosen, innermost first, and its slots filled."""
    while found := re.search(r"\[([^\[\]]*)\]", template):
        template = template[: found.start()] + rng.choice(found[1].split("|")) + template[found.end() :]
    return re.sub(r"\ba (?=[aeiou])", "an ", template.format(**slots))
