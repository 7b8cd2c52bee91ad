# cmake -D OUTPUT=file.cpp -D FOLDER=folder -D "FILES=a;b" -P embed.cmake
# Writes C++ that holds the files byte for byte, by their path below the folder.
set(entries "")
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH path "${FOLDER}" "${file}")
  file(READ "${file}" text)
  string(APPEND entries "    {\"${path}\", R\"egret_file(${text})egret_file\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Written by sandbox-glue/devcontainer/embed.cmake.
#include \"sandbox-glue/devcontainer/templates.h\"

namespace egret {
namespace {

constexpr TemplateFile files[] = {
${entries}};

}  // namespace

std::span<const TemplateFile> template_files() { return files; }

}  // namespace egret
")
