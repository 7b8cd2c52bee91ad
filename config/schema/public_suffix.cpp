#include "config/schema/public_suffix.h"

#include <fstream>
#include <libpsl.h>
#include <string>

namespace egret::schema {
namespace {

// libpsl answers "is this a suffix", not "is one below this": that is read from the list itself.
constexpr const char* list_path = "/usr/share/publicsuffix/public_suffix_list.dat";

bool is_above_public_suffix(std::string_view name) {
  std::ifstream list(list_path);
  const std::string ending = "." + std::string(name);
  for (std::string line; std::getline(list, line);) {
    if (line.ends_with(ending) && !line.starts_with("//") && !line.starts_with('!')) return true;
  }
  return false;
}

}  // namespace

bool is_at_or_above_public_suffix(std::string_view name) {
  return psl_is_public_suffix(psl_builtin(), std::string(name).c_str()) == 1 ||
         is_above_public_suffix(name);
}

}  // namespace egret::schema
