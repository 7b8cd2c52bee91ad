#include "proxy/exchange/content_coding.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

constexpr std::array<std::pair<std::string_view, Coding>, 5> names = {{{"gzip", Coding::gzip},
                                                                       {"x-gzip", Coding::gzip},
                                                                       {"deflate", Coding::deflate},
                                                                       {"br", Coding::br},
                                                                       {"zstd", Coding::zstd}}};

std::optional<Coding> coding_named(std::string_view lower_case_name) {
  for (const auto& [name, coding] : names) {
    if (name == lower_case_name) return coding;
  }
  return std::nullopt;
}

struct Offer {
  std::string name;
  std::string weight;  // `;q=0.5`, or empty
  bool wanted = true;  // q > 0
};

// `gzip;q=0.5`; nothing where it is malformed.
std::optional<Offer> parse_offer(std::string_view member) {
  const std::size_t semicolon = member.find(';');
  Offer offer{std::string(syntax::trimmed(member.substr(0, semicolon))), {}, true};
  if (semicolon == std::string_view::npos) return offer;
  std::string_view weight = syntax::trimmed(member.substr(semicolon + 1));
  if (!weight.starts_with("q=")) return std::nullopt;
  weight.remove_prefix(2);
  const bool valid = !weight.empty() && weight.size() <= 5 &&
                     (weight.front() == '0' || weight.front() == '1') &&
                     weight.find_first_not_of("0123456789.") == std::string_view::npos &&
                     (weight.size() == 1 || weight[1] == '.');
  if (!valid) return std::nullopt;
  offer.wanted = weight.find_first_of("123456789") != std::string_view::npos;
  offer.weight = ";q=" + std::string(weight);
  return offer;
}

}  // namespace

ContentCodings content_codings(const FieldList& fields) {
  ContentCodings out;
  for (const std::string& member : syntax::list_elements(fields, "content-encoding")) {
    if (member == "identity") continue;
    const auto coding = coding_named(member);
    if (!coding || out.applied.size() == ContentCodings::chain_max) {
      out.readable = false;
      return out;
    }
    out.applied.push_back(*coding);
  }
  return out;
}

std::string readable_offer(const FieldList& request_fields) {
  std::vector<Offer> offers;
  std::optional<Offer> others;  // `*`
  for (const std::string& member : syntax::list_elements(request_fields, "accept-encoding")) {
    auto offer = parse_offer(member);
    if (!offer) continue;
    if (offer->name == "*") {
      others = std::move(offer);
    } else if (offer->name == "identity" || coding_named(offer->name)) {
      offers.push_back(std::move(*offer));
    }
  }
  if (others && others->wanted) {
    for (const auto& [name, coding] : names) {
      const std::string_view wanted = name;
      const bool named = std::any_of(offers.begin(), offers.end(),
                                     [wanted](const Offer& offer) { return offer.name == wanted; });
      if (!named && name != "x-gzip") offers.push_back({std::string(name), others->weight, true});
    }
  }
  std::string out;
  bool any = false;
  for (const Offer& offer : offers) {
    any = any || (offer.wanted && offer.name != "identity");
    if (!out.empty()) out += ", ";
    out += offer.name + offer.weight;
  }
  return any ? out : "identity";
}

}  // namespace egret
