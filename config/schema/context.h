// What every reader of a section knows: where problems go, what the file is called in rule sources,
// and what relative paths and `~` stand for.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "config/yaml/node.h"
#include "config/yaml/problems.h"
#include "config/yaml/schema.h"

namespace egret::schema {

struct Context {
  yaml::Problems& problems;
  std::string source_prefix;  // `egret.yaml:`, `profile npm:`
  std::string folder;         // absolute; of the file
  const ConfigPlaces& places;

  std::string source_of(yaml::Mark mark) const { return source_prefix + std::to_string(mark.line); }
};

template <class T>
using Field = yaml::Field<T, Context>;
using yaml::Empty;
using yaml::Need;
using yaml::Node;

// A path as written in the file: `~/` is the home directory, relative is beside the file.
std::optional<std::string> read_path(Context& context, const Node& node, std::string_view example);
// `text` without its file: for paths inside other values (`file:PATH`).
std::optional<std::string> path_from(Context& context, yaml::Mark mark, std::string_view text);

// Lower-case letters, digits and `-`; at most 63: names of sandboxes and profiles.
bool is_plain_name(std::string_view text);
bool read_plain_name(Context& context, const Node& key, std::string_view kind);

// Reports the second of two equal texts in a list.
void refuse_repeated(Context& context, std::span<const Node> items);

// `192.0.2.1:443` or `[2001:db8::1]:443`.
struct AddressAndPort {
  IpAddress address;
  std::optional<std::uint16_t> port;
};
std::optional<AddressAndPort> parse_address_and_port(std::string_view text);

}  // namespace egret::schema
