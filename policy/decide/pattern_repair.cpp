#include "policy/decide/pattern_repair.h"

#include <algorithm>

#include "policy/target/address_class.h"
#include "policy/target/punycode.h"

namespace egret {
namespace {

constexpr std::size_t quoted_bytes_max = 80;
constexpr std::size_t pattern_bytes_max = 1024;

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// A pattern on its way to a valid one, and the first thing that was wrong with it.
struct Draft {
  std::string text;
  std::string what;
  std::string ports;  // a port that was written into the host

  void blame(std::string_view problem) {
    if (what.empty()) what = problem;
  }
};

std::optional<std::u32string> utf8_decode(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || text.size() < size) return std::nullopt;
    char32_t code_point = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[i]);
      if ((next & 0xc0) != 0x80) return std::nullopt;
      code_point = code_point << 6 | (next & 0x3f);
    }
    if ((size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000))
      return std::nullopt;
    out += code_point;
    text.remove_prefix(size);
  }
  return out;
}

// Lower case of the scripts whose capitals lie at a fixed distance.
char32_t folded(char32_t c) {
  const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  if (within('A', 'Z') || (within(0xc0, 0xde) && c != 0xd7) || within(0x391, 0x3a9) ||
      within(0x410, 0x42f)) {
    return c + 0x20;
  }
  if (within(0x400, 0x40f)) return c + 0x50;
  if (within(0x100, 0x137) || within(0x14a, 0x177)) return c | 1;
  if ((within(0x139, 0x148) || within(0x179, 0x17e)) && c % 2 == 1) return c + 1;
  return c;
}

std::optional<std::string> a_label(std::string_view label) {
  if (is_ascii(label)) return std::string(label);
  auto decoded = utf8_decode(label);
  if (!decoded) return std::nullopt;
  for (char32_t& c : *decoded) {
    c = folded(c);
    // Combining marks would need normalisation first, which this floor does not do.
    if (is_forbidden_in_label(c) || (c >= 0x300 && c <= 0x36f)) return std::nullopt;
  }
  const auto encoded = punycode_encode(*decoded);
  if (!encoded) return std::nullopt;
  return "xn--" + *encoded;
}

std::optional<std::string> a_labels(std::string_view name) {
  std::string out;
  for (;;) {
    const std::size_t dot = name.find('.');
    const auto label = a_label(name.substr(0, dot));
    if (!label) return std::nullopt;
    out += *label;
    if (dot == std::string_view::npos) return out;
    out += '.';
    name.remove_prefix(dot + 1);
  }
}

void strip_url(Draft& draft) {
  std::string& text = draft.text;
  if (const auto scheme = text.find("://"); scheme != std::string::npos) {
    draft.blame("is a URL, and a rule takes a host");
    text.erase(0, scheme + 3);
  }
  const bool is_range = text.find('/') != std::string::npos &&
                        IpAddress::parse(std::string_view(text).substr(0, text.find('/')));
  if (!is_range) {
    if (const auto path = text.find_first_of("/?#"); path != std::string::npos) {
      draft.blame("holds a path, which belongs under `paths:`");
      text.resize(path);
    }
  }
  if (const auto at = text.rfind('@'); at != std::string::npos) {
    draft.blame("holds a user name");
    text.erase(0, at + 1);
  }
}

void strip_port(Draft& draft) {
  std::string& text = draft.text;
  const auto colon = text.rfind(':');
  const bool bracketed = !text.empty() && text.front() == '[';
  if (colon != std::string::npos) {
    const bool is_port = bracketed ? text[colon - 1] == ']' : text.find(':') == colon;
    if (is_port) {
      draft.blame("holds a port, which belongs under `ports:`");
      draft.ports = text.substr(colon + 1);
      text.resize(colon);
    }
  }
  if (bracketed && text.back() == ']') {
    draft.blame("has brackets, which an address in a rule does not need");
    text = text.substr(1, text.size() - 2);
  }
}

void canonicalise(Draft& draft) {
  std::string& text = draft.text;
  if (!is_ascii(text)) {
    draft.blame("holds letters outside ASCII");
    if (const auto encoded = a_labels(text)) text = *encoded;
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    draft.blame("has upper-case letters");
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  if (text.size() > 1 && text.back() == '.') {
    draft.blame("ends with a dot");
    text.pop_back();
  }
  if (text.size() > 1 && text.front() == '.') {
    draft.blame("begins with a dot");
    text.insert(0, "*");
  }
  if (text.starts_with("**.")) {
    draft.blame("begins with `**`");
    text.erase(0, 1);
  }
}

// Addresses and ranges in another spelling than the canonical one.
void canonicalise_address(Draft& draft) {
  const std::string_view text = draft.text;
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return;
  const IpAddress inner = unwrapped(*address);
  if (inner != *address) draft.blame("is an IPv4 address written as IPv6");
  if (slash == std::string_view::npos) {
    draft.blame("is not the canonical form of the address");
    draft.text = inner.text();
    return;
  }
  std::string_view digits = text.substr(slash + 1);
  while (digits.size() > 1 && digits.front() == '0')
    digits.remove_prefix(1);
  int bits = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9' || bits > 128) return;
    bits = bits * 10 + (c - '0');
  }
  if (inner != *address) bits -= 96;
  if (digits.empty() || bits < 0 || bits > (inner.is_v4() ? 32 : 128)) return;
  draft.blame("is not the canonical form of the range");
  draft.text = Cidr(inner, bits).text();
}

std::string_view problem_of(std::string_view text) {
  if (text.find('*') != std::string_view::npos) {
    return "has a `*` that is not a whole first label";
  }
  if (text.find('/') != std::string_view::npos) return "is no valid address range";
  const auto host = Host::parse(text);
  if (host) return "is no host pattern";
  switch (host.error()) {
    case HostFault::empty:
      return "names no host";
    case HostFault::too_long:
      return "is too long for a host name";
    case HostFault::forbidden_byte:
      return "holds a character that no host name may hold";
    case HostFault::empty_label:
      return "has an empty label";
    case HostFault::bad_label:
      return "has a label that begins or ends with `-`";
    case HostFault::bad_a_label:
      return "has an `xn--` label that is no valid punycode";
    case HostFault::bad_address:
      return "is no valid IP address";
  }
  return "is no host pattern";
}

constexpr std::string_view any_valid_form =
    "write a host (`api.example.com`), every name below one (`*.example.com`), an IP address "
    "or a range (`192.0.2.0/24`)";

}  // namespace

std::string quoted_pattern(std::string_view text) {
  std::string out = "`";
  for (const char c : text.substr(0, quoted_bytes_max))
    out += is_control(c) ? '?' : c;
  if (text.size() > quoted_bytes_max) out += "…";
  return out + "`";
}

PatternFault explain_host_pattern(std::string_view text,
                                  const std::function<bool(std::string_view)>& is_valid) {
  const auto what = [&](std::string_view problem) {
    return quoted_pattern(text) + " " + std::string(problem);
  };
  if (text.empty()) return {"the host pattern is empty", std::string(any_valid_form)};
  if (text.size() > pattern_bytes_max) return {what("is too long"), std::string(any_valid_form)};
  if (std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) && !is_space(c); })) {
    return {what("holds a control character"), "remove it"};
  }
  Draft draft{.text = std::string(text), .what = {}, .ports = {}};
  if (is_space(text.front()) || is_space(text.back())) {
    draft.blame("has spaces around it");
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    draft.text = text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
  }
  strip_url(draft);
  strip_port(draft);
  canonicalise(draft);
  canonicalise_address(draft);
  if (draft.text != "*" && is_valid(draft.text)) {
    std::string instead = "write " + quoted_pattern(draft.text);
    if (!draft.ports.empty()) instead += " and " + quoted_pattern("ports: [" + draft.ports + "]");
    return {what(draft.what), instead};
  }
  if (!is_ascii(draft.text)) {
    return {what("holds letters outside ASCII"),
            "write the name in its `xn--` form (the program idn2 prints it)"};
  }
  draft.blame(problem_of(draft.text));
  return {what(draft.what), std::string(any_valid_form)};
}

}  // namespace egret
