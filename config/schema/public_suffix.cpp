#include "config/schema/public_suffix.h"

#include <fstream>
#include <libpsl.h>
#include <string>

namespace egret::schema {
namespace {

// libpsl answers "is this a suffix", not "is one below this": that is read from the list itself.
constexpr const char* list_path = "/usr/share/publicsuffix/public_suffix_list.dat";

// Empty where the list is not installed: libpsl's own copy and policy's short list remain.
std::string read_list() {
  std::ifstream file(list_path, std::ios::binary | std::ios::ate);
  const std::streamoff bytes = file ? std::streamoff(file.tellg()) : 0;
  if (bytes <= 0) return {};
  std::string list(static_cast<std::size_t>(bytes), '\0');
  file.seekg(0);
  file.read(list.data(), static_cast<std::streamsize>(list.size()));
  return list;
}

bool is_above_public_suffix(std::string_view name) {
  const std::string list = read_list();
  const std::string ending = "." + std::string(name) + "\n";
  for (std::size_t at = list.find(ending); at != list.npos; at = list.find(ending, at + 1)) {
    const std::size_t line = list.rfind('\n', at) + 1;  // npos + 1 is the file's beginning
    if (list.compare(line, 2, "//") != 0 && list[line] != '!') return true;
  }
  return false;
}

}  // namespace

bool is_at_or_above_public_suffix(std::string_view name) {
  return psl_is_public_suffix(psl_builtin(), std::string(name).c_str()) == 1 ||
         is_above_public_suffix(name);
}

}  // namespace egret::schema
