"""Reads the message schemas of common/wire/schema into plain objects.

The format, one line a field, indented by two spaces a level:

    request MetadataRequest  key 3  versions 0-13  flexible 9+
      Topics: []MetadataRequestTopic  v0+  nullable 1+
        TopicId: uuid  v10+
        Name: string  v0+  nullable 10+
      AllowAutoTopicCreation: bool  v4+  default true
      struct Shared  v0+
        Key: string  v0+

Kinds: request, response, coordinator-key, coordinator-value, data. Types: bool, int8 to int64,
uint16, uint32, float64, string, bytes, uuid, records, a struct's name, or [] of one. A struct is
defined by the lines below the field that uses it, or by a `struct` section when several do.
`tag N` puts a field among the tagged ones.
"""

import dataclasses
import pathlib
import re

FOREVER = 32767


@dataclasses.dataclass(frozen=True)
class Versions:
    first: int
    last: int

    @staticmethod
    def parse(text):
        if text == 'none':
            return Versions(FOREVER, -1)
        match = re.fullmatch(r'(\d+)(?:(\+)|-(\d+))?', text)
        if not match:
            raise ValueError(f'bad versions: {text}')
        first = int(match[1])
        return Versions(first, FOREVER if match[2] else int(match[3] or first))

    def has(self, version):
        return self.first <= version <= self.last

    def __str__(self):
        if self.last == FOREVER:
            return f'{self.first}+'
        return f'{self.first}' if self.first == self.last else f'{self.first}-{self.last}'


NO_VERSIONS = Versions.parse('none')


@dataclasses.dataclass
class Field:
    name: str
    type: str  # element type for arrays
    is_array: bool
    versions: Versions
    nullable: Versions
    tag: int | None
    default: str | None  # as written; None if not given
    struct: 'Struct | None' = None

    @property
    def member(self):
        return snake_case(self.name)


@dataclasses.dataclass
class Struct:
    name: str
    fields: list[Field]


@dataclasses.dataclass
class Message:
    kind: str
    name: str
    key: int | None
    versions: Versions
    flexible: Versions
    fields: list[Field]
    structs: list[Struct]  # each after those that it uses
    source: str  # path of the schema below schema/

    @property
    def snake_name(self):
        return snake_case(self.name)

    def flexible_in(self, version):
        return self.flexible.has(version)


def snake_case(name):
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name).lower()


def read_all(root):
    """Every message below `root`, in order of file and place."""
    messages = []
    for path in sorted(pathlib.Path(root).glob('*/*.txt')):
        source = str(path.relative_to(root))
        messages += _Parser(source, path.read_text()).messages()
    return messages


class _Parser:
    def __init__(self, source, text):
        self.source = source
        self.lines = [(number, len(line) - len(line.lstrip()), line.strip())
                      for number, line in enumerate(text.splitlines(), 1)
                      if line.strip() and not line.strip().startswith('#')]
        self.at = 0

    def messages(self):
        result = []
        while self.at < len(self.lines):
            result.append(self._message())
        return result

    def _fail(self, what):
        number = self.lines[min(self.at, len(self.lines) - 1)][0]
        raise ValueError(f'{self.source}:{number}: {what}')

    def _message(self):
        _, indent, line = self.lines[self.at]
        words = line.split()
        if indent != 0 or len(words) < 2:
            self._fail('a message must begin at the start of a line')
        options = dict(zip(words[2::2], words[3::2]))
        self.at += 1
        self.defined = {}
        fields = self._fields(2)
        message = Message(
            kind=words[0], name=words[1], key=int(options['key']) if 'key' in options else None,
            versions=Versions.parse(options['versions']),
            flexible=Versions.parse(options['flexible']), fields=fields, structs=[],
            source=self.source)
        self._resolve(message)
        return message

    def _fields(self, indent):
        fields = []
        while self.at < len(self.lines) and self.lines[self.at][1] >= indent:
            _, found, line = self.lines[self.at]
            if found != indent:
                self._fail('bad indentation')
            if line.startswith('struct '):
                self.at += 1
                self._define(line.split()[1], self._fields(indent + 2))
            else:
                fields.append(self._field(line, indent))
        return fields

    def _field(self, line, indent):
        name, _, rest = line.partition(': ')
        kind, *words = rest.split()
        if not words or not words[0].startswith('v') or len(words) % 2 != 1:
            self._fail(f'bad field: {line}')
        options = dict(zip(words[1::2], words[2::2]))
        unknown = set(options) - {'nullable', 'tag', 'default'}
        if unknown:
            self._fail(f'unknown options {sorted(unknown)}')
        field = Field(
            name=name, type=kind.removeprefix('[]'), is_array=kind.startswith('[]'),
            versions=Versions.parse(words[0][1:]),
            nullable=Versions.parse(options.get('nullable', 'none')),
            tag=int(options['tag']) if 'tag' in options else None,
            default=options.get('default'))
        self.at += 1
        if self.at < len(self.lines) and self.lines[self.at][1] > indent:
            self._define(field.type, self._fields(indent + 2))
        return field

    def _define(self, name, fields):
        if name in self.defined:
            self._fail(f'struct {name} twice')
        self.defined[name] = Struct(name, fields)

    def _resolve(self, message):
        """Ties fields to structs and orders structs by use."""
        def visit(fields, above):
            for field in fields:
                if not field.type[0].isupper():
                    continue
                if field.type in above or field.type not in self.defined:
                    self._fail(f'{message.name}.{field.name}: no struct {field.type}')
                field.struct = self.defined[field.type]
                visit(field.struct.fields, above | {field.type})
                if field.struct not in message.structs:
                    message.structs.append(field.struct)
        visit(message.fields, frozenset())
        unused = set(self.defined) - {struct.name for struct in message.structs}
        if unused:
            self._fail(f'{message.name}: unused structs {sorted(unused)}')
