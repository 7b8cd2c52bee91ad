# cmake -D OUTPUT=file.cpp -D STARTER=starter.yaml -D PROFILES=folder -P embed.cmake
# Writes C++ that holds the YAML files byte for byte.
file(GLOB profiles ${PROFILES}/*.yaml)
list(SORT profiles)
set(entries "")
foreach(profile IN LISTS profiles)
  get_filename_component(name "${profile}" NAME_WE)
  file(READ "${profile}" text)
  string(APPEND entries "    {\"${name}\", R\"egret_yaml(${text})egret_yaml\"},\n")
endforeach()
file(READ "${STARTER}" starter)
file(WRITE "${OUTPUT}" "// Written by config/embed.cmake.
#include \"config/shipped.h\"
#include \"config/starter.h\"

namespace egret {
namespace {

constexpr ShippedProfile profiles[] = {
${entries}};

}  // namespace

std::span<const ShippedProfile> shipped_profiles() { return profiles; }
std::string_view starter_config() { return R\"egret_yaml(${starter})egret_yaml\"; }

}  // namespace egret
")
