// The DNS of one sandbox: every well-formed name gets its synthetic addresses, whatever the
// decision about it, so that a refused name ends in a readable 403 and not in a riddle. No query
// leaves the gate. Each name is recorded once with its decision (DESIGN part 6, ATTACKS B06, G04).
#pragma once

#include <memory>

#include "proxy/io/asio.h"
#include "proxy/io/stream.h"
#include "proxy/session/listener.h"
#include "proxy/session/worker.h"

namespace egret {

// The answer to one DNS message; empty where none is to be sent.
std::string answer_dns(Worker& worker, Sandbox& sandbox, std::string_view message);

// Serve on a bound UDP socket or a listening TCP socket until the worker stops, or the part ends.
Task<void> serve_dns_udp(Worker& worker, std::shared_ptr<Sandbox> sandbox, SharedFd fd,
                         AttachmentPartPtr part);
Task<void> serve_dns_tcp(Worker& worker, std::shared_ptr<Sandbox> sandbox, SharedFd fd,
                         AttachmentPartPtr part);

// Serves one connection that has been accepted already, to its end.
Task<void> serve_dns_stream(Worker& worker, std::shared_ptr<Sandbox> sandbox, Stream& stream);

}  // namespace egret
