// What a client dialled before the namespace's rules brought its connection to the gate.
#pragma once

#include <optional>
#include <sys/socket.h>

namespace egret {

// The original destination of a connection accepted on one of NamespaceSockets, v4 or v6; nothing
// when the kernel knows none. A connection that dialled the gate's own port yields that very
// loopback address, which no redirected connection can have.
std::optional<sockaddr_storage> original_destination(int accepted_socket);

}  // namespace egret
