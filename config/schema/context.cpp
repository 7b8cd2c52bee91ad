#include "config/schema/context.h"

#include <charconv>
#include <filesystem>
#include <set>

namespace egret::schema {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (fault != std::errc{} || std::to_string(port) != text) return std::nullopt;
  return port;
}

}  // namespace

std::optional<std::string> path_from(Context& context, yaml::Mark mark, std::string_view text) {
  if (text.empty()) {
    context.problems.add(mark, "a path is missing", "write the file's path");
    return std::nullopt;
  }
  std::filesystem::path path(text);
  if (text.starts_with('~')) {
    if (!text.starts_with("~/") || context.places.home.empty()) {
      context.problems.add(mark, "`" + std::string(text) + "` leads nowhere",
                           context.places.home.empty()
                               ? "write an absolute path; HOME is not set"
                               : "write `~/...` for your own home, else an absolute path");
      return std::nullopt;
    }
    path = std::filesystem::path(context.places.home) / text.substr(2);
  } else if (path.is_relative()) {
    path = std::filesystem::path(context.folder) / path;
  }
  return path.lexically_normal().string();
}

std::optional<std::string> read_path(Context& context, const Node& node, std::string_view example) {
  const std::string* text = yaml::text_of(context.problems, node, example);
  return text == nullptr ? std::nullopt : path_from(context, node.mark, *text);
}

bool is_plain_name(std::string_view text) {
  constexpr std::size_t name_bytes_max = 63;
  if (text.empty() || text.size() > name_bytes_max) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool read_plain_name(Context& context, const Node& key, std::string_view kind) {
  if (is_plain_name(key.text)) return true;
  context.problems.add(key.mark, "`" + key.text + "` cannot be the name of a " + std::string(kind),
                       "write lower-case letters, digits and `-`, at most 63 of them");
  return false;
}

void refuse_repeated(Context& context, std::span<const Node> items) {
  std::set<std::string_view> seen;
  for (const Node& item : items) {
    if (item.kind != Node::Kind::scalar || seen.insert(item.text).second) continue;
    context.problems.add(item.mark, "`" + item.text + "` stands in the list twice",
                         "remove one of the two");
  }
}

std::optional<AddressAndPort> parse_address_and_port(std::string_view text) {
  if (const auto bare = IpAddress::parse(text)) return AddressAndPort{*bare, std::nullopt};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!address || !port || address->is_v4() == bracketed) return std::nullopt;
  return AddressAndPort{*address, port};
}

}  // namespace egret::schema
