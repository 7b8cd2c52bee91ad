// One connection's bytes, plain or TLS, over TCP or a Unix socket. TLS works directly on the
// descriptor: what OpenSSL does not have at hand is waited for, nothing is copied through a buffer
// in between (DESIGN part 9). Reading and writing may be awaited by two coroutines at once, one
// each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "policy/result.h"
#include "proxy/io/asio.h"
#include "proxy/io/deadline.h"
#include "proxy/io/splice_pipe.h"

namespace egret {

struct FreeSsl {
  void operator()(SSL* ssl) const noexcept;
};
using SslPtr = std::unique_ptr<SSL, FreeSsl>;

enum class StreamError : std::uint8_t {
  none,
  end,        // the peer has ended its side cleanly (FIN; in TLS close_notify)
  truncated,  // TLS ended without close_notify
  timed_out,
  closed,  // by us, or the worker stops
  failed,  // reset and the like; in TLS a protocol error
};
std::string_view name(StreamError error);

struct ReadResult {
  std::size_t bytes = 0;
  StreamError error = StreamError::none;
};

struct HandshakeFault {
  StreamError error = StreamError::failed;
  int alert_received = -1;  // TLS alert number the peer sent, or -1
  long verify_result = 0;   // X509_V_*
  std::string_view detail;  // a constant of OpenSSL's reason list
};

class Stream final : private Deadline {
 public:
  // Takes the connected, non-blocking socket.
  Stream(StreamSocket socket, Deadlines& wheel);
  ~Stream() override;

  // At least one byte, or an error with 0 bytes.
  Task<ReadResult> read_some(std::span<char> into);
  // All of it, gathered.
  Task<StreamError> write(std::string_view first, std::string_view second = {});

  // At least one byte from this connection straight into the other, inside the kernel (splice(2));
  // both without TLS and with nothing read before. `bytes` is what has left; on an error of either
  // side it may be less than what was read.
  Task<ReadResult> splice_to(Stream& to, const SplicePipe& pipe);
  bool can_splice() const { return !ssl_ && prefix_at_ == prefix_.size(); }

  // Bytes that were read before TLS began and belong to it.
  void unread(std::string_view bytes) { prefix_.append(bytes); }
  // The SSL is configured by the caller (certificate, or host name to verify). Consumes the prefix.
  Task<Result<void, HandshakeFault>> handshake(SslPtr ssl, bool as_server);
  SSL* ssl() const { return ssl_.get(); }

  // No byte, no end and no error is waiting on an idle connection.
  bool quiet() const;
  // Ends our side: close_notify in TLS, then FIN.
  Task<void> finish_writing();
  void close();
  // Closes so that the peer cannot take what it has for whole.
  void reset();
  // Ends what is being awaited with `closed`; the connection itself stays, until resume().
  void interrupt();
  void resume() { interrupted_ = false; }
  bool is_open() const { return socket_.is_open(); }

  // Time limit for whatever is being awaited, until it is set again.
  void limit(std::chrono::milliseconds time) { expires_after(time); }
  void no_limit() { never(); }
  bool timed_out() const { return expired(); }

  int fd() const;
  StreamSocket& socket() { return socket_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  friend struct StreamBio;
  enum class Wait { read, write };
  void on_expiry() override;
  Task<StreamError> wait(Wait what);
  // Lets the worker's other connections move when this one never has to wait.
  Task<void> take_turns();
  StreamError error_now() const;
  long receive(std::span<char> into);
  StreamError classify(int ssl_result, int ssl_error);
  Task<StreamError> write_plain(std::string_view first, std::string_view second);
  Task<StreamError> write_tls(std::string_view data);

  StreamSocket socket_;
  SslPtr ssl_;
  std::string prefix_;
  std::size_t prefix_at_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
  unsigned without_waiting_ = 0;
  bool saw_end_ = false;
  bool closed_ = false;
  bool interrupted_ = false;
};

}  // namespace egret
