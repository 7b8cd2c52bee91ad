// What a TLS ClientHello says, read before the handshake (RFC 8446 4.1.2, RFC 6066 3): to choose
// between interception and a tunnel, and to know the name. OpenSSL parses the same bytes again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "proxy/wire/message.h"

namespace egret {

struct ClientHello {
  bool has_server_name = false;
  std::string server_name;        // raw bytes of the one host_name entry; not yet canonical
  std::vector<std::string> alpn;  // as offered
  bool has_ech = false;           // encrypted_client_hello (GREASE looks the same)
};

enum class HelloState { incomplete, complete };

// Looks at the first bytes of a connection, over as many records as it takes. At most 64 KiB.
// Not TLS at all: Reason::not_tls. Malformed, two names, name_type != 0: tls_handshake_failed.
Result<HelloState, WireFault> read_client_hello(std::string_view bytes, ClientHello& out);

// The first byte of a connection says TLS.
inline bool looks_like_tls(std::string_view bytes) {
  return !bytes.empty() && bytes[0] == '\x16';
}

}  // namespace egret
