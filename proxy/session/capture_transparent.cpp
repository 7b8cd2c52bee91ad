#include "policy/target/address_class.h"
#include "proxy/session/connection.h"

namespace egret {

// The original destination gives the port, and where the name map knows the address, the name that
// the client looked up. The address itself is never dialled (ATTACKS B12).
Task<void> Connection::run_transparent() {
  const auto destination = captured_destination(stream_.fd());
  const auto local = local_address(stream_.fd());
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
