#include "sandbox-glue/keeper/messages.h"

#include <charconv>
#include <utility>

namespace egret {
namespace {

constexpr std::size_t offer_fields = 7;

std::uint16_t port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? port : std::uint16_t{0};
}

}  // namespace

std::string joined(const Fields& fields) {
  std::string out;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) out.push_back('\0');
    out += field;
  }
  return out;
}

Fields fields_of(std::string_view message) {
  Fields out;
  for (std::size_t end = 0; (end = message.find('\0')) != std::string_view::npos;) {
    out.emplace_back(message.substr(0, end));
    message.remove_prefix(end + 1);
  }
  out.emplace_back(message);
  return out;
}

Result<void, SetupFault> send_offer(const UniqueFd& channel, const Offer& offer) {
  std::vector<int> descriptors = descriptors_of(offer.sockets);
  if (offer.alive) descriptors.push_back(offer.alive.get());
  return send_message(
      channel,
      joined({"keep", offer.sandbox, offer.label, offer.identity, offer.path,
              std::to_string(offer.sockets.tcp_port), std::to_string(offer.sockets.dns_port)}),
      descriptors);
}

std::optional<Offer> offer_in(ChannelMessage message) {
  Fields fields = fields_of(message.bytes);
  if (fields.size() != offer_fields || fields[0] != "keep") return {};
  if (fields[2].empty() || fields[2].find('\n') != std::string::npos) return {};
  Offer offer;
  offer.sandbox = std::move(fields[1]);
  offer.label = std::move(fields[2]);
  offer.identity = std::move(fields[3]);
  offer.path = std::move(fields[4]);
  if (offer.path.empty()) {
    if (message.descriptors.empty()) return {};
    offer.alive = std::move(message.descriptors.back());
    message.descriptors.pop_back();
  }
  auto sockets =
      sockets_from(std::move(message.descriptors), port_of(fields[5]), port_of(fields[6]));
  if (!sockets || sockets->tcp_port == 0 || sockets->dns_port == 0) return {};
  offer.sockets = std::move(*sockets);
  return offer;
}

}  // namespace egret
