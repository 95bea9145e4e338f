"""The sides of a rule file."""
import re


def sides(path):
    """The names of the sides of a rule file in the order of their declaration, imported ones first."""
    text, found = path.read_text(), {}
    for imported in re.findall(r'^import "([^"]+)"', text, re.M): found |= dict.fromkeys(sides(path.parent / imported))
    return list(found | dict.fromkeys(re.findall(r'^side (\w+)', text, re.M)))
