#include "config/schema/hosts.h"

#include "config/schema/public_suffix.h"

namespace egret::schema {
namespace {

bool covers_strangers(const HostPattern& pattern) {
  if (pattern.kind() == HostPattern::Kind::any) return true;
  return pattern.kind() == HostPattern::Kind::subdomains &&
         is_at_or_above_public_suffix(pattern.name());
}

std::optional<PatternFault> secret_fault(const HostPattern& pattern) {
  if (pattern.kind() == HostPattern::Kind::range) {
    return PatternFault{"`" + pattern.text() + "` is a range of addresses",
                        "name the hosts that the secret is for"};
  }
  if (!is_wide(pattern)) return std::nullopt;
  return PatternFault{"`" + pattern.text() + "` covers names that strangers can register",
                      "name the hosts; a secret is never given to so wide a pattern"};
}

}  // namespace

bool is_wide(const HostPattern& pattern) {
  const auto strict = HostPattern::parse(pattern.text(), Wildcards::below_registrable_domain);
  return !strict || covers_strangers(pattern);
}

Result<HostPattern, PatternFault> parse_host(std::string_view text, HostUse use) {
  auto pattern = HostPattern::parse(text, Wildcards::any);
  if (!pattern || use == HostUse::allow_dangerously || use == HostUse::deny) return pattern;
  if (use == HostUse::pin) {
    if (pattern->kind() == HostPattern::Kind::exact && !IpAddress::parse(pattern->name()))
      return pattern;
    if (pattern->kind() == HostPattern::Kind::subdomains) return pattern;
    return PatternFault{"`" + pattern->text() + "` is not a name", "write `host` or `*.host`"};
  }
  if (use == HostUse::secret) {
    if (auto fault = secret_fault(*pattern)) return std::move(*fault);
    return pattern;
  }
  auto strict = HostPattern::parse(text, Wildcards::below_registrable_domain);
  if (!strict || !covers_strangers(*strict)) return strict;
  return PatternFault{"`" + strict->text() + "` opens names that strangers can register",
                      "name the hosts, or write `dangerous_allow_wildcard: true` beside it"};
}

std::optional<HostPattern> read_host(Context& context, const Node& node, HostUse use) {
  const std::string* text =
      yaml::text_of(context.problems, node, "one host, such as api.github.com");
  if (text == nullptr) return std::nullopt;
  auto pattern = parse_host(*text, use);
  if (pattern) return std::move(*pattern);
  context.problems.add(node.mark, pattern.error().what, pattern.error().instead);
  return std::nullopt;
}

bool overlap(const HostPattern& a, const HostPattern& b) {
  using Kind = HostPattern::Kind;
  if (a.kind() == Kind::exact || b.kind() == Kind::exact) {
    const HostPattern& exact = a.kind() == Kind::exact ? a : b;
    const HostPattern& other = a.kind() == Kind::exact ? b : a;
    const auto address = IpAddress::parse(exact.name());
    if (address) return other.matches(Host::from_address(*address));
    const auto host = Host::parse(exact.name());
    return host && other.matches(*host);
  }
  if (a.kind() == Kind::range || b.kind() == Kind::range) {
    if (a.kind() != b.kind()) return false;
    const auto x = Cidr::parse(a.name());
    const auto y = Cidr::parse(b.name());
    return x && y && (x->contains(y->base()) || y->contains(x->base()));
  }
  if (a.kind() == Kind::any || b.kind() == Kind::any) return true;
  const std::string x = "." + a.name();
  const std::string y = "." + b.name();
  return x.ends_with(y) || y.ends_with(x);
}

}  // namespace egret::schema
