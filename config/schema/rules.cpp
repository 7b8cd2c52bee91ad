#include "config/schema/rules.h"

#include <algorithm>

#include "config/schema/hosts.h"

namespace egret::schema {
namespace {

constexpr std::string_view rule_example = "`- allow: api.github.com`";

// A rule as it is read; what depends on several keys is looked at when all of them are known.
struct Draft {
  const Node* allow = nullptr;
  const Node* deny = nullptr;
  const Node* tunnel = nullptr;
  const Node* methods = nullptr;
  const Node* paths = nullptr;
  const Node* dangerous = nullptr;
  bool is_tunnel = false;
  bool is_dangerous = false;
  std::vector<std::uint16_t> port_list;
  std::vector<std::string> method_list;
  std::vector<PathPattern> path_list;
};

void read_ports(Context& context, const Node& node, Draft& rule) {
  const auto items = yaml::list_of(context.problems, node, "`ports: [443]`", Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    const auto port = yaml::integer_of(context.problems, item, 1, 65535);
    if (port) rule.port_list.push_back(static_cast<std::uint16_t>(*port));
  }
}

bool is_upper_case_token(std::string_view text) {
  return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123456789") == std::string_view::npos;
}

std::string upper_case(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

void read_method(Context& context, const Node& node, Draft& rule) {
  const std::string* text = yaml::text_of(context.problems, node, "methods such as `GET`");
  if (text == nullptr) return;
  if (!is_upper_case_token(*text)) {
    const std::string upper = upper_case(*text);
    context.problems.add(
        node.mark, "`" + *text + "` is not a method",
        is_upper_case_token(upper) ? "write `" + upper + "`" : "write one such as `GET`");
  } else if (*text == "CONNECT" || *text == "TRACE" || *text == "TRACK") {
    context.problems.add(
        node.mark, "`" + *text + "` is never permitted",
        *text == "CONNECT" ? "remove it; `tunnel: true` opens an opaque tunnel" : "remove it");
  } else {
    rule.method_list.push_back(*text);
  }
}

void read_methods(Context& context, const Node& node, Draft& rule) {
  rule.methods = &node;
  const auto items =
      yaml::list_of(context.problems, node, "`methods: [GET, HEAD]`", Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items)
    read_method(context, item, rule);
}

void read_paths(Context& context, const Node& node, Draft& rule) {
  rule.paths = &node;
  constexpr std::string_view example = "`paths: [\"/repos/acme/**\"]`";
  const auto items = yaml::list_of(context.problems, node, example, Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    const std::string* text = yaml::text_of(context.problems, item, "a path such as \"/repos/**\"");
    if (text == nullptr) continue;
    auto pattern = PathPattern::parse(*text);
    if (pattern)
      rule.path_list.push_back(std::move(*pattern));
    else
      context.problems.add(item.mark, pattern.error().what, pattern.error().instead);
  }
}

constexpr Field<Draft> fields[] = {
    {"allow", Need::optional, [](Context&, const Node& n, Draft& r) { r.allow = &n; }},
    {"deny", Need::optional, [](Context&, const Node& n, Draft& r) { r.deny = &n; }},
    {"ports", Need::optional, read_ports},
    {"methods", Need::optional, read_methods},
    {"paths", Need::optional, read_paths},
    {"tunnel", Need::optional,
     [](Context& c, const Node& n, Draft& r) {
       r.tunnel = &n;
       r.is_tunnel = yaml::truth_of(c.problems, n).value_or(false);
     }},
    {"dangerous_allow_wildcard", Need::optional,
     [](Context& c, const Node& n, Draft& r) {
       r.dangerous = &n;
       // Unreadable is an error already; `true` spares a second one about the wildcard.
       r.is_dangerous = yaml::truth_of(c.problems, n).value_or(true);
     }},
};

void check_combination(Context& context, const Draft& rule) {
  if (rule.is_tunnel && (rule.methods != nullptr || rule.paths != nullptr)) {
    const Node& at = rule.methods != nullptr ? *rule.methods : *rule.paths;
    context.problems.add(at.mark, "`" + at.name + "` beside `tunnel: true`",
                         "remove one of them; nobody can look into a tunnel");
  }
  if (rule.is_tunnel && rule.deny != nullptr) {
    context.problems.add(rule.tunnel->mark, "`tunnel: true` in a rule that denies",
                         "remove `tunnel`; `deny` alone denies tunnels too");
  }
  if (rule.is_dangerous && rule.deny != nullptr) {
    context.problems.add(rule.dangerous->mark, "`dangerous_allow_wildcard` in a rule that denies",
                         "remove it; `deny` takes any wildcard");
  }
}

std::optional<HostPattern> read_rule_host(Context& context, const Draft& rule) {
  if (rule.deny != nullptr) return read_host(context, *rule.deny, HostUse::deny);
  const HostUse use = rule.is_dangerous ? HostUse::allow_dangerously : HostUse::allow;
  if (rule.allow->kind == Node::Kind::list) {
    context.problems.add(rule.allow->mark, "a list of hosts in one rule",
                         "write one rule for each host: " + std::string(rule_example));
    return std::nullopt;
  }
  auto host = read_host(context, *rule.allow, use);
  if (host && rule.is_dangerous && !is_wide(*host)) {
    context.problems.add(
        rule.dangerous->mark,
        "`dangerous_allow_wildcard` beside `" + host->text() + "`, which is narrow", "remove it");
  }
  return host;
}

// A rule with both or neither. Where `allow` is there but empty, or may be hidden behind an unknown
// key, that has been reported already.
void report_effect(Context& context, const Node& node, const Draft& rule) {
  constexpr std::string_view others[] = {"ports", "methods", "paths", "tunnel",
                                         "dangerous_allow_wildcard"};
  const bool explained = std::any_of(node.keys.begin(), node.keys.end(), [&](const Node& key) {
    return std::find(std::begin(others), std::end(others), key.text) == std::end(others);
  });
  if (rule.allow == nullptr && explained) return;
  context.problems.add(node.mark,
                       rule.allow != nullptr ? "both `allow` and `deny` in one rule"
                                             : "a rule with neither `allow` nor `deny`",
                       "write one of them: " + std::string(rule_example));
}

void read_rule(Context& context, const Node& node, std::vector<Rule>& rules) {
  if (node.kind == Node::Kind::broken) return;
  Draft rule;
  yaml::read_mapping(context, node, fields, rule_example, rule);
  if (node.kind != Node::Kind::mapping) return;
  if ((rule.allow == nullptr) == (rule.deny == nullptr)) {
    report_effect(context, node, rule);
    return;
  }
  check_combination(context, rule);
  auto host = read_rule_host(context, rule);
  if (!host) return;
  rules.push_back({.effect = rule.allow != nullptr ? Effect::allow : Effect::deny,
                   .host = std::move(*host),
                   .ports = std::move(rule.port_list),
                   .methods = std::move(rule.method_list),
                   .paths = std::move(rule.path_list),
                   .tunnel = rule.is_tunnel,
                   .source = context.source_of(node.mark)});
}

}  // namespace

std::vector<Rule> read_rules(Context& context, const Node& node) {
  std::vector<Rule> rules;
  for (const Node& item : yaml::list_of(context.problems, node, rule_example, Empty::allowed)) {
    read_rule(context, item, rules);
  }
  return rules;
}

}  // namespace egret::schema
