# SPDX-License-Identifier: MIT
# cmake -DFOLDER=<templates> -DNAMES=<a;b;...> -DOUTPUT=<file.cc> -P EmbedTemplates.cmake
# Writes a table of name and text; as bytes, because string literals have a length limit and raw ones a terminator.

set(arrays "")
set(table "")
set(index 0)
foreach(name IN LISTS NAMES)
  file(READ "${FOLDER}/${name}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char kTemplate${index}[] = {${bytes}'\\0'};\n")
  string(APPEND table "    {\"${name}\", {kTemplate${index}, sizeof(kTemplate${index}) - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE "${OUTPUT}.new" "// Written by cmake/EmbedTemplates.cmake from render/scripts/templates.
#include \"render/scripts/embedded_templates.h\"

namespace pairport {
namespace {

${arrays}
constexpr EmbeddedTemplate kTemplates[] = {
${table}};

}  // namespace

std::span<const EmbeddedTemplate> embedded_templates() noexcept { return kTemplates; }

}  // namespace pairport
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
