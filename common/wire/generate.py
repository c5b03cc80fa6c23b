#!/usr/bin/env python3
"""Writes the C++ of every message in schema/ (format: schema.py).

    generate.py --out DIR           writes DIR/common/wire/..., only files that change
    generate.py --out DIR --list    prints the library's sources, then a line with --, then the
                                    codec table's (for tests and fuzzing)

One header and one source a message (msg/<name>.h, .cc), message_info.cc (the table of APIs) and
codecs_*.cc (every message behind one interface, codec_table.h).
"""

import argparse
import pathlib
import sys

import cpp
import schema

CODEC_BATCH = 25


def message_infos(messages):
    """The table behind message_info.h."""
    requests = {m.key: m for m in messages if m.kind == 'request'}
    responses = {m.key: m for m in messages if m.kind == 'response'}
    if set(requests) != set(responses):
        raise ValueError('a request without its response, or the reverse')
    rows = []
    for key in sorted(requests):
        request, response = requests[key], responses[key]
        if request.versions != response.versions:
            raise ValueError(f'{request.name}: versions differ from the response')
        name = request.name.removesuffix('Request')
        rows.append(f'    {{{key}, "{name}", {request.versions.first}, {request.versions.last},'
                    f' {request.flexible.first}, {response.flexible.first}}},\n')
    return (cpp.BANNER + '#include "common/wire/message_info.h"\n\n'
            '#include <algorithm>\n#include <array>\n\nnamespace wire {\nnamespace {\n\n'
            'constexpr auto kInfos = std::to_array<MessageInfo>({\n' + ''.join(rows) + '});\n\n'
            '}  // namespace\n\n'
            'const MessageInfo* find_message_info(std::int16_t api_key) {\n'
            '  auto at = std::ranges::lower_bound(kInfos, api_key, {}, &MessageInfo::api_key);\n'
            '  return at != kInfos.end() && at->api_key == api_key ? &*at : nullptr;\n}\n\n'
            'std::span<const MessageInfo> all_message_infos() { return kInfos; }\n\n'
            '}  // namespace wire\n')


def codec_batches(messages):
    return [messages[at:at + CODEC_BATCH] for at in range(0, len(messages), CODEC_BATCH)]


def codec_batch(index, messages):
    includes = ''.join(f'#include "common/wire/msg/{name}.h"\n'
                       for name in sorted(m.snake_name for m in messages))
    rows = ''.join(
        f'  codecs.push_back(codec_of<{m.name}>("{m.source}", "{m.kind}", "{m.name}", '
        f'{-1 if m.key is None else m.key}));\n' for m in messages)
    return (cpp.BANNER + includes + '#include "common/wire/recode.h"\n\nnamespace wire {\n\n'
            f'void add_codecs_{index}(std::vector<Codec>& codecs) {{\n{rows}}}\n\n'
            '}  // namespace wire\n')


def codec_table(count):
    declared = ''.join(f'void add_codecs_{i}(std::vector<Codec>& codecs);\n' for i in range(count))
    called = ''.join(f'    add_codecs_{i}(codecs);\n' for i in range(count))
    return (cpp.BANNER + '#include "common/wire/codec_table.h"\n\nnamespace wire {\n\n' + declared +
            '\nstd::span<const Codec> all_codecs() {\n'
            '  static const std::vector<Codec> table = [] {\n    std::vector<Codec> codecs;\n' +
            called + '    return codecs;\n  }();\n  return table;\n}\n\n}  // namespace wire\n')


def generate(messages):
    """Path below the output folder -> text; and the sources of the two libraries."""
    files, library, table = {}, [], []

    def add(sources, path, text):
        files[f'common/wire/{path}'] = text
        if sources is not None:
            sources.append(f'common/wire/{path}')

    for message in messages:
        add(None, f'msg/{message.snake_name}.h', cpp.header(message))
        add(library, f'msg/{message.snake_name}.cc', cpp.source(message))
    add(library, 'message_info.cc', message_infos(messages))
    batches = codec_batches(messages)
    for index, batch in enumerate(batches):
        add(table, f'codecs_{index}.cc', codec_batch(index, batch))
    add(table, 'codec_table.cc', codec_table(len(batches)))
    return files, library, table


def write_if_changed(path, text):
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, type=pathlib.Path)
    parser.add_argument('--list', action='store_true')
    arguments = parser.parse_args()
    messages = schema.read_all(pathlib.Path(__file__).parent / 'schema')
    files, library, table = generate(messages)
    if arguments.list:
        print('\n'.join(library + ['--'] + table))
        return
    for path, text in files.items():
        write_if_changed(arguments.out / path, text)


if __name__ == '__main__':
    sys.exit(main())
