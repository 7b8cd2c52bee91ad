// RFC 6455 part 9 and RFC 7692 part 7: which extensions are offered, and what an origin may agree
// to. Parameters in quotes are not understood: no client sends them.
#include <charconv>
#include <vector>

#include "proxy/wire/http1_syntax.h"
#include "proxy/wire/websocket.h"

namespace egret {
namespace {

constexpr std::string_view field_name = "sec-websocket-extensions";
constexpr std::string_view deflate_name = "permessage-deflate";
constexpr unsigned window_bits_min = 8;
constexpr unsigned window_bits_max = 15;

// One element of the field, its parameters as they stand there.
struct Parameters {
  bool client_no_context_takeover = false;
  bool server_no_context_takeover = false;
  bool client_max_window_bits = false;  // named, with or without a value
  std::optional<unsigned> client_bits;
  std::optional<unsigned> server_bits;
};

std::optional<unsigned> window_bits(std::string_view text) {
  unsigned bits = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, bits);
  const bool whole = error == std::errc() && rest == end && text.front() != '0';
  if (!whole || bits < window_bits_min || bits > window_bits_max) return std::nullopt;
  return bits;
}

// False where the parameter is unknown, malformed, or there already.
bool take_parameter(std::string_view text, Parameters& parameters) {
  const bool has_value = text.find('=') != std::string_view::npos;
  const std::string_view name = syntax::take_element(text, '=');
  const auto flag = [&](bool& value) {
    const bool first = !value;
    value = true;
    return first && !has_value;
  };
  if (name == "client_no_context_takeover") return flag(parameters.client_no_context_takeover);
  if (name == "server_no_context_takeover") return flag(parameters.server_no_context_takeover);
  const std::string_view value = syntax::trimmed(text);
  if (name == "client_max_window_bits") {
    if (parameters.client_max_window_bits) return false;
    parameters.client_max_window_bits = true;
    if (!has_value) return true;
    parameters.client_bits = window_bits(value);
    return parameters.client_bits.has_value();
  }
  if (name == "server_max_window_bits" && !parameters.server_bits) {
    parameters.server_bits = window_bits(value);
    return parameters.server_bits.has_value();
  }
  return false;
}

// Nothing where it is another extension or not well formed.
std::optional<Parameters> parse(std::string_view element) {
  if (syntax::take_element(element, ';') != deflate_name) return std::nullopt;
  Parameters parameters;
  while (!element.empty()) {
    if (!take_parameter(syntax::take_element(element, ';'), parameters)) return std::nullopt;
  }
  return parameters;
}

std::string text_of(const Parameters& parameters) {
  std::string text(deflate_name);
  if (parameters.client_no_context_takeover) text += "; client_no_context_takeover";
  if (parameters.server_no_context_takeover) text += "; server_no_context_takeover";
  if (parameters.client_max_window_bits) text += "; client_max_window_bits";
  if (parameters.client_bits) text += '=' + std::to_string(*parameters.client_bits);
  if (parameters.server_bits) {
    text += "; server_max_window_bits=" + std::to_string(*parameters.server_bits);
  }
  return text;
}

std::vector<Parameters> offers_in(const FieldList& fields) {
  std::vector<Parameters> offers;
  // A quoted comma cuts its element in two, neither of which is an offer.
  syntax::each_element(fields, field_name, [&](std::string_view element) {
    if (const auto offer = parse(element)) offers.push_back(*offer);
  });
  return offers;
}

// RFC 7692 7.1: what was asked of the server is granted, what it asks of the client was opened.
bool answers(const Parameters& answer, const Parameters& offer) {
  if (offer.server_no_context_takeover && !answer.server_no_context_takeover) return false;
  if (offer.server_bits && (!answer.server_bits || *answer.server_bits > *offer.server_bits)) {
    return false;
  }
  if (!answer.client_bits) return true;
  return offer.client_max_window_bits &&
         *answer.client_bits <= offer.client_bits.value_or(window_bits_max);
}

}  // namespace

std::string websocket_extension_offers(const FieldList& request_fields) {
  std::string text;
  for (const Parameters& offer : offers_in(request_fields)) {
    if (!text.empty()) text += ", ";
    text += text_of(offer);
  }
  return text;
}

const char* websocket_extension_fault(const FieldList& request_fields,
                                      const FieldList& response_fields) {
  const std::size_t extensions = response_fields.count(field_name);
  if (extensions == 0) return nullptr;
  if (extensions != 1) return "more than one Sec-WebSocket-Extensions in an answer";
  const std::string_view agreed = *response_fields.find(field_name);
  if (agreed.find(',') != std::string_view::npos) return "more than one extension agreed";
  const auto answer = parse(agreed);
  if (!answer) return "an extension nobody knows";
  if (answer->client_max_window_bits && !answer->client_bits) return "a window of no size";
  for (const Parameters& offer : offers_in(request_fields)) {
    if (answers(*answer, offer)) return nullptr;
  }
  return "an extension that was not offered";
}

std::optional<WebSocketDeflate> websocket_deflate(const FieldList& response_fields) {
  const auto agreed = response_fields.find(field_name);
  const auto answer = agreed ? parse(*agreed) : std::nullopt;
  if (!answer) return std::nullopt;
  return WebSocketDeflate{answer->client_no_context_takeover, answer->server_no_context_takeover,
                          answer->client_bits.value_or(window_bits_max),
                          answer->server_bits.value_or(window_bits_max)};
}

}  // namespace egret
