#include "config/schema/listen.h"

#include <algorithm>
#include <map>

namespace egret::schema {
namespace {

constexpr std::string_view listen_example = "`- address: 127.0.0.1:3128`";

struct Draft {
  const Node* address = nullptr;
  const Node* unix_path = nullptr;
  const Node* redirect = nullptr;
  const Node* sandbox = nullptr;
};

constexpr Field<Draft> fields[] = {
    {"address", Need::optional, [](Context&, const Node& n, Draft& d) { d.address = &n; }},
    {"unix", Need::optional, [](Context&, const Node& n, Draft& d) { d.unix_path = &n; }},
    {"redirect", Need::optional, [](Context&, const Node& n, Draft& d) { d.redirect = &n; }},
    {"sandbox", Need::optional, [](Context&, const Node& n, Draft& d) { d.sandbox = &n; }},
};

std::optional<AddressAndPort> read_tcp(Context& context, const Node& node) {
  const std::string* text = yaml::text_of(context.problems, node, "`127.0.0.1:3128`");
  if (text == nullptr) return std::nullopt;
  auto parsed = parse_address_and_port(*text);
  if (parsed && parsed->port) return parsed;
  context.problems.add(node.mark, "`" + *text + "` is no address with a port",
                       text->starts_with("localhost")
                           ? "write the address: 127.0.0.1:3128 or \"[::1]:3128\""
                           : "write it as 127.0.0.1:3128 or \"[::1]:3128\"");
  return std::nullopt;
}

using Where = std::variant<ListenTcp, ListenUnix, ListenRedirect>;

std::optional<Where> read_where(Context& context, const Draft& draft) {
  if (draft.unix_path != nullptr) {
    constexpr std::size_t socket_path_bytes_max = 107;  // sockaddr_un
    auto path = read_path(context, *draft.unix_path, "`/run/egret/web.sock`");
    if (!path) return std::nullopt;
    if (path->size() > socket_path_bytes_max) {
      context.problems.add(draft.unix_path->mark, "a socket path of more than 107 bytes",
                           "write a shorter one");
    }
    return ListenUnix{std::move(*path)};
  }
  const auto tcp = read_tcp(context, draft.address != nullptr ? *draft.address : *draft.redirect);
  if (!tcp) return std::nullopt;
  if (draft.address != nullptr) return ListenTcp{tcp->address.text(), *tcp->port};
  return ListenRedirect{tcp->address.text(), *tcp->port};
}

std::optional<std::string> read_sandbox(Context& context, const Draft& draft,
                                        const std::vector<std::string>& sandboxes) {
  if (draft.sandbox == nullptr) {
    if (draft.redirect != nullptr) {
      context.problems.add(draft.redirect->mark, "`redirect` without a sandbox",
                           "write `sandbox: NAME`; a redirected connection cannot name one");
    }
    return std::nullopt;
  }
  const std::string* name = yaml::text_of(context.problems, *draft.sandbox, "`sandbox: default`");
  if (name == nullptr) return std::nullopt;
  if (std::find(sandboxes.begin(), sandboxes.end(), *name) == sandboxes.end()) {
    yaml::report_unknown(context.problems, draft.sandbox->mark, "sandbox", *name, sandboxes);
  }
  return *name;
}

// What no other listener can have. A redirect listener takes the loopback of both families.
std::vector<std::string> places_of(const Where& where) {
  if (const auto* path = std::get_if<ListenUnix>(&where)) return {path->path};
  const auto* tcp = std::get_if<ListenTcp>(&where);
  const auto* redirect = std::get_if<ListenRedirect>(&where);
  const std::uint16_t port = tcp != nullptr ? tcp->port : redirect->port;
  if (port == 0) return {};  // the kernel picks another one each time
  const std::string& address = tcp != nullptr ? tcp->address : redirect->address;
  std::vector<std::string> places{address + " port " + std::to_string(port)};
  if (redirect != nullptr && (address == "127.0.0.1" || address == "::1")) {
    places.push_back((address == "::1" ? "127.0.0.1 port " : "::1 port ") + std::to_string(port));
  }
  return places;
}

}  // namespace

std::vector<Listen> read_listen(Context& context, const Node& node,
                                const std::vector<std::string>& sandboxes) {
  std::vector<Listen> listens;
  std::map<std::string, int> first_line;
  for (const Node& item : yaml::list_of(context.problems, node, listen_example, Empty::allowed)) {
    if (item.kind == Node::Kind::broken) continue;
    Draft draft;
    yaml::read_mapping(context, item, fields, listen_example, draft);
    if (item.kind != Node::Kind::mapping) continue;
    const int places =
        (draft.address != nullptr) + (draft.unix_path != nullptr) + (draft.redirect != nullptr);
    if (places != 1) {
      context.problems.add(item.mark, "a listener needs one of `address`, `unix` and `redirect`",
                           "write one of them: " + std::string(listen_example));
      continue;
    }
    auto sandbox = read_sandbox(context, draft, sandboxes);
    auto where = read_where(context, draft);
    if (!where) continue;
    for (const std::string& place : places_of(*where)) {
      const auto [first, added] = first_line.emplace(place, item.mark.line);
      if (added) continue;
      context.problems.add(
          item.mark, "`" + place + "` is taken by another listener",
          "change one of them; the other is in line " + std::to_string(first->second));
      break;
    }
    listens.push_back({std::move(*where), std::move(sandbox), context.source_of(item.mark)});
  }
  return listens;
}

}  // namespace egret::schema
