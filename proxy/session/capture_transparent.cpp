#include "policy/target/address_class.h"
#include "proxy/session/connection.h"
#include "proxy/session/dns_service.h"

namespace egret {
namespace {

constexpr std::uint16_t dns_port = 53;

}  // namespace

// The original destination gives the port, and where the name map knows the address, the name that
// the client looked up. The address itself is never dialled (ATTACKS B12).
Task<void> Connection::run_transparent() {
  const auto destination = captured_destination(stream_.fd());
  const auto local = local_address(stream_.fd());
  // A redirect listener has one port for everything; in a namespace DNS has sockets of its own.
  if (listener_->capture == Capture::redirect && destination && destination->port == dns_port) {
    recorded_ = true;  // by its names
    co_await serve_dns_stream(worker_, sandbox_, stream_);
    co_return;
  }
  if (!destination || !local || destination->port == listener_->own_port ||
      classify(destination->address) == AddressClass::loopback) {
    co_await refuse_connection(Reason::loop, nullptr);
    co_return;
  }
  original_address_ = destination->address.text();
  std::optional<Host> host = sandbox().names().name_of(destination->address);
  const bool literal = !host;
  if (literal) host = Host::from_address(destination->address);
  co_await run_captured(std::move(host), destination->port);
}

}  // namespace egret
