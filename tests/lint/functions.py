"""Finds function bodies in C++ by counting braces: good enough for a mark on their length, no parser.
A `{` opens a function when what stands before it, back to the last `;`, `{` or `}`, ends like a
parameter list (with its const, noexcept, return type or member initialisers) and is no control statement."""

import re

CONTROL = re.compile(r"^\s*(?:else\s+)?(?:if|for|while|switch|do|catch|else|try)\b")
NOT_A_FUNCTION = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:inline\s+)?(?:namespace|class|struct|enum|union|extern)\b")
NAME = re.compile(r"([A-Za-z_~][\w:~]*|operator\s*[^\s(]+|operator\(\))\s*\(")


def blank(text):
    """The text with comments, strings and preprocessor lines blanked, lines kept."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    pattern = r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\''
    text = re.sub(pattern, spaces, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.M)


def functions(text):
    """Yields (name, first line, number of lines) of each outermost function body."""
    text = blank(text)
    stack = []  # one entry per open brace: None, or (name, line) if it opened a function
    start, line = 0, 1
    inside = 0
    for i, c in enumerate(text):
        if c == "\n":
            line += 1
        elif c == ";":
            start = i + 1
        elif c == "{":
            head = text[start:i].strip()
            name = None
            if not inside and "(" in head and not CONTROL.match(head) and not NOT_A_FUNCTION.match(head):
                match = NAME.search(re.sub(r"^\s*template\s*<[^{;]*?>\s*(?=\w)", "", head))
                if match and not re.search(r"=\s*$", head):
                    name = (match.group(1), line - text.count("\n", start, i) + (len(text[start:i]) > 0 and
                            text[start:i][: len(text[start:i]) - len(text[start:i].lstrip())].count("\n")))
            stack.append(name)
            inside += name is not None
            start = i + 1
        elif c == "}":
            opened = stack.pop() if stack else None
            if opened:
                inside -= 1
                yield opened[0], opened[1], line - opened[1] + 1
            start = i + 1
