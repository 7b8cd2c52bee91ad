#include "policy/secret/placeholder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

namespace egret {
namespace {

// Prefixes by which SDKs and scanners know a credential. Longest first where one begins another.
constexpr std::string_view known_prefixes[] = {
    // Anthropic, OpenAI and those who copied `sk-`
    "sk-ant-api03-",
    "sk-ant-admin01-",
    "sk-ant-oat01-",
    "sk-ant-ort01-",
    "sk-ant-sid01-",
    "sk-or-v1-",
    "sk-svcacct-",
    "sk-admin-",
    "sk-proj-",
    "sk-ant-",
    "sk-lf-",
    "pk-lf-",
    // Stripe
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    // GitHub, GitLab
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "glpat-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glptt-",
    "gloas-",
    // Slack
    "xoxe.xoxp-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xoxe-",
    "xapp-",
    // Google, AWS
    "AIza",
    "ya29.",
    "GOCSPX-",
    "AKIA",
    "ASIA",
    // package registries
    "npm_",
    "pypi-",
    "rubygems_",
    "crates_io_",
    "dckr_pat_",
    "dckr_oat_",
    // models and their hosts
    "hf_",
    "gsk_",
    "xai-",
    "pplx-",
    "tvly-",
    "nvapi-",
    "r8_",
    "fw_",
    "tgp_v1_",
    "lsv2_pt_",
    "lsv2_sk_",
    // clouds and services
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "sntrys_",
    "sntryu_",
    "SG.",
    "shpat_",
    "shppa_",
    "shpss_",
    "lin_api_",
    "ntn_",
    "figd_",
    "phc_",
    "phx_",
    "sbp_",
    "tskey-api-",
    "tskey-auth-",
    "fo1_",
    "glsa_",
    "glc_",
    "dapi",
    "hvs.",
    "hvb.",
    "vercel_",
    "ATATT3xFfGF0",
    "ATCTT3xFfGF0",
    "ops_",
    "sk-",
};

constexpr std::string_view base62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool is_base62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string_view longest_of(std::string_view best, std::string_view other) {
  return other.size() > best.size() ? other : best;
}

std::string_view prefix_at_start(std::string_view text) {
  std::string_view best;
  for (const std::string_view prefix : known_prefixes) {
    if (text.starts_with(prefix)) best = longest_of(best, prefix);
  }
  return best;
}

std::string_view prefix_at_end(std::string_view text) {
  std::string_view best;
  for (const std::string_view prefix : known_prefixes) {
    if (text.ends_with(prefix)) best = longest_of(best, prefix);
  }
  return best;
}

void append_random(std::string& text, std::size_t count, const RandomSource& random) {
  // Bytes from 248 on are thrown away: 248 is a multiple of 62, so every character is as likely.
  constexpr unsigned usable = 248;
  // A sound source needs one or two fills; one that never yields is broken beyond reporting.
  constexpr int fills_max = 1000;
  std::array<unsigned char, 64> bytes{};
  for (int fill = 0; count > 0; ++fill) {
    if (fill == fills_max + static_cast<int>(text.size())) std::abort();
    random(bytes);
    for (const unsigned char byte : bytes) {
      if (count == 0) break;
      if (byte >= usable) continue;
      text += base62[byte % base62.size()];
      --count;
    }
  }
}

}  // namespace

PlaceholderShape shape_of(std::string_view secret_value) {
  const std::string_view prefix = prefix_at_start(secret_value);
  const std::size_t needed = prefix.size() + placeholder_marker.size() + placeholder_random_min;
  PlaceholderShape shape;
  if (!prefix.empty() && needed <= secret_value.size()) {
    shape.prefix = prefix;
    shape.bytes = secret_value.size();
  } else if (needed <= placeholder_default_bytes) {
    shape.prefix = prefix;
  }
  return shape;
}

Placeholder Placeholder::mint(const PlaceholderShape& shape, const RandomSource& random) {
  Placeholder placeholder;
  // Any other prefix would not be found again in a text.
  if (prefix_at_end(shape.prefix) == shape.prefix) placeholder.text_ = shape.prefix;
  placeholder.marker_offset_ = placeholder.text_.size();
  placeholder.text_ += placeholder_marker;
  const std::size_t bytes =
      std::max(shape.bytes, placeholder.text_.size() + placeholder_random_min);
  append_random(placeholder.text_, bytes - placeholder.text_.size(), random);
  return placeholder;
}

std::optional<Placeholder> Placeholder::parse(std::string_view text) {
  const auto span = find_placeholder(text);
  if (!span || span->begin != 0 || span->end != text.size()) return std::nullopt;
  Placeholder placeholder;
  placeholder.text_ = text;
  placeholder.marker_offset_ = text.find(placeholder_marker);
  return placeholder;
}

std::optional<PlaceholderSpan> find_placeholder(std::string_view text, std::size_t from) {
  std::size_t marker = text.find(placeholder_marker, from);
  while (marker != std::string_view::npos) {
    const std::size_t random = marker + placeholder_marker.size();
    std::size_t end = random;
    while (end < text.size() && is_base62(text[end]))
      ++end;
    if (end - random >= placeholder_random_min) {
      const std::string_view before = text.substr(from, marker - from);
      return PlaceholderSpan{marker - prefix_at_end(before).size(), end};
    }
    marker = text.find(placeholder_marker, marker + 1);
  }
  return std::nullopt;
}

}  // namespace egret
