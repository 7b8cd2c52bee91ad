#include "proxy/io/stream.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace egret {

void FreeSsl::operator()(SSL* ssl) const noexcept {
  SSL_free(ssl);
}

std::string_view name(StreamError error) {
  switch (error) {
    case StreamError::none:
      return "none";
    case StreamError::end:
      return "end";
    case StreamError::truncated:
      return "truncated";
    case StreamError::timed_out:
      return "timed_out";
    case StreamError::closed:
      return "closed";
    case StreamError::failed:
      return "failed";
  }
  return "failed";
}

// OpenSSL's view of the descriptor: first what was read before TLS began, then the socket itself.
// Never raises SIGPIPE.
struct StreamBio {
  static Stream& of(BIO* bio) { return *static_cast<Stream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int bytes) {
    BIO_clear_retry_flags(bio);
    Stream& stream = of(bio);
    const long got = stream.receive({into, static_cast<std::size_t>(bytes)});
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
    if (got == 0) stream.saw_end_ = true;
    return static_cast<int>(got);
  }

  static int write(BIO* bio, const char* from, int bytes) {
    BIO_clear_retry_flags(bio);
    const ssize_t put = ::send(of(bio).fd(), from, static_cast<std::size_t>(bytes), MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
    return static_cast<int>(put);
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_EOF:
        return of(bio).saw_end_ ? 1 : 0;
      default:
        return 0;
    }
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "egret stream");
      BIO_meth_set_read(method, &StreamBio::read);
      BIO_meth_set_write(method, &StreamBio::write);
      BIO_meth_set_ctrl(method, &StreamBio::control);
      return method;
    }();
    return made;
  }
};

Stream::Stream(StreamSocket socket, Deadlines& wheel)
    : Deadline(wheel), socket_(std::move(socket)) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
}

Stream::~Stream() {
  close();
}

int Stream::fd() const {
  return const_cast<StreamSocket&>(socket_).native_handle();
}

void Stream::close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

void Stream::reset() {
  const linger at_once{1, 0};
  if (socket_.is_open()) ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Stream::interrupt() {
  interrupted_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Stream::on_expiry() {
  error_code ignored;
  socket_.cancel(ignored);
}

StreamError Stream::error_now() const {
  if (closed_ || interrupted_ || !socket_.is_open()) return StreamError::closed;
  return expired() ? StreamError::timed_out : StreamError::none;
}

Task<void> Stream::take_turns() {
  constexpr unsigned reads_max = 32;
  if (++without_waiting_ < reads_max) co_return;
  without_waiting_ = 0;
  co_await asio::post(socket_.get_executor(), asio::use_awaitable);
}

Task<StreamError> Stream::wait(Wait what) {
  without_waiting_ = 0;
  if (const StreamError error = error_now(); error != StreamError::none) co_return error;
  error_code error;
  const auto type = what == Wait::read ? StreamSocket::wait_read : StreamSocket::wait_write;
  co_await socket_.async_wait(type, asio::redirect_error(asio::use_awaitable, error));
  if (const StreamError now = error_now(); now != StreamError::none) co_return now;
  co_return error ? StreamError::closed : StreamError::none;
}

long Stream::receive(std::span<char> into) {
  if (prefix_at_ < prefix_.size()) {
    const std::size_t bytes = std::min(into.size(), prefix_.size() - prefix_at_);
    std::memcpy(into.data(), prefix_.data() + prefix_at_, bytes);
    prefix_at_ += bytes;
    if (prefix_at_ == prefix_.size()) {
      std::string().swap(prefix_);
      prefix_at_ = 0;
    }
    return static_cast<long>(bytes);
  }
  ssize_t got = 0;
  do {
    got = ::recv(fd(), into.data(), into.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

// What a failed OpenSSL call means; Wait is up to the caller for the two WANT errors.
StreamError Stream::classify(int, int ssl_error) {
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return StreamError::end;
  const bool truncated =
      saw_end_ || ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  ERR_clear_error();
  return truncated ? StreamError::truncated : StreamError::failed;
}

Task<ReadResult> Stream::read_some(std::span<char> into) {
  co_await take_turns();
  while (true) {
    if (const StreamError error = error_now(); error != StreamError::none)
      co_return ReadResult{0, error};
    Wait what = Wait::read;
    if (ssl_) {
      ERR_clear_error();
      std::size_t got = 0;
      const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
      if (result == 1) {
        bytes_read_ += got;
        co_return ReadResult{got, StreamError::none};
      }
      const int error = SSL_get_error(ssl_.get(), result);
      if (error == SSL_ERROR_WANT_WRITE) {
        what = Wait::write;
      } else if (error != SSL_ERROR_WANT_READ) {
        co_return ReadResult{0, classify(result, error)};
      }
    } else {
      const long got = receive(into);
      if (got > 0) {
        bytes_read_ += static_cast<std::size_t>(got);
        co_return ReadResult{static_cast<std::size_t>(got), StreamError::none};
      }
      if (got == 0) co_return ReadResult{0, StreamError::end};
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return ReadResult{0, StreamError::failed};
    }
    if (const StreamError error = co_await wait(what); error != StreamError::none)
      co_return ReadResult{0, error};
  }
}

Task<ReadResult> Stream::splice_to(Stream& to, const SplicePipe& pipe) {
  constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  co_await take_turns();
  ReadResult moved;
  ssize_t got = 0;
  while (true) {
    moved.error = error_now();
    if (moved.error != StreamError::none) co_return moved;
    got = ::splice(fd(), nullptr, pipe.in(), nullptr, SplicePipe::bytes_max, flags);
    if (got > 0) break;
    if (got == 0) {
      moved.error = StreamError::end;
      co_return moved;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      moved.error = StreamError::failed;
      co_return moved;
    }
    moved.error = co_await wait(Wait::read);
    if (moved.error != StreamError::none) co_return moved;
  }
  bytes_read_ += static_cast<std::size_t>(got);
  while (got > 0) {
    moved.error = to.error_now();
    if (moved.error != StreamError::none) co_return moved;
    const ssize_t put =
        ::splice(pipe.out(), nullptr, to.fd(), nullptr, static_cast<std::size_t>(got), flags);
    if (put > 0) {
      got -= put;
      moved.bytes += static_cast<std::size_t>(put);
      to.bytes_written_ += static_cast<std::size_t>(put);
      continue;
    }
    if (put < 0 && errno == EINTR) continue;
    if (put == 0 || errno != EAGAIN) {
      moved.error = StreamError::failed;
      co_return moved;
    }
    moved.error = co_await to.wait(Wait::write);
    if (moved.error != StreamError::none) co_return moved;
  }
  co_return moved;
}

Task<StreamError> Stream::write(std::string_view first, std::string_view second) {
  if (!ssl_) co_return co_await write_plain(first, second);
  if (!first.empty() && !second.empty() && first.size() + second.size() <= 16384) {
    // One record and one system call for a head and its first data.
    std::string joined;
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    co_return co_await write_tls(joined);
  }
  if (!first.empty()) {
    if (const StreamError error = co_await write_tls(first); error != StreamError::none)
      co_return error;
  }
  if (second.empty()) co_return StreamError::none;
  co_return co_await write_tls(second);
}

Task<StreamError> Stream::write_plain(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    if (const StreamError error = error_now(); error != StreamError::none) co_return error;
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                      {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t put = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return StreamError::failed;
      if (const StreamError error = co_await wait(Wait::write); error != StreamError::none)
        co_return error;
      continue;
    }
    auto done = static_cast<std::size_t>(put);
    bytes_written_ += done;
    const std::size_t of_first = std::min(done, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(done - of_first);
  }
  co_return StreamError::none;
}

Task<StreamError> Stream::write_tls(std::string_view data) {
  while (!data.empty()) {
    if (const StreamError error = error_now(); error != StreamError::none) co_return error;
    ERR_clear_error();
    std::size_t put = 0;
    const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &put);
    if (result == 1) {
      bytes_written_ += put;
      data.remove_prefix(put);
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      co_return classify(result, error);
    const Wait what = error == SSL_ERROR_WANT_READ ? Wait::read : Wait::write;
    if (const StreamError failed = co_await wait(what); failed != StreamError::none)
      co_return failed;
  }
  co_return StreamError::none;
}

namespace {

// The TLS alert that the peer sent, from OpenSSL's error queue: reasons 1000 + number.
HandshakeFault fault_from_queue(StreamError error, SSL* ssl) {
  HandshakeFault fault;
  fault.error = error;
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
    fault.alert_received = reason - SSL_AD_REASON_OFFSET;
  const char* text = ERR_reason_error_string(code);
  fault.detail = text != nullptr ? std::string_view(text) : std::string_view();
  fault.verify_result = SSL_get_verify_result(ssl);
  return fault;
}

}  // namespace

Task<Result<void, HandshakeFault>> Stream::handshake(SslPtr ssl, bool as_server) {
  BIO* bio = BIO_new(StreamBio::method());
  if (bio == nullptr) co_return HandshakeFault{};
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  ssl_ = std::move(ssl);
  while (true) {
    ERR_clear_error();
    const int result = as_server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    if (result == 1) co_return Result<void, HandshakeFault>();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      const HandshakeFault fault =
          fault_from_queue(saw_end_ ? StreamError::truncated : StreamError::failed, ssl_.get());
      ERR_clear_error();
      co_return fault;
    }
    const Wait what = error == SSL_ERROR_WANT_READ ? Wait::read : Wait::write;
    const StreamError waited = co_await wait(what);
    if (waited != StreamError::none) {
      HandshakeFault fault;
      fault.error = waited;
      co_return fault;
    }
  }
}

bool Stream::quiet() const {
  if (closed_ || expired() || prefix_at_ < prefix_.size()) return false;
  if (ssl_ && SSL_has_pending(ssl_.get()) == 1) return false;
  char byte = 0;
  const ssize_t got = ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Task<void> Stream::finish_writing() {
  if (closed_) co_return;
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());  // a small record; where it does not fit the peer has stopped reading
    ERR_clear_error();
  }
  error_code ignored;
  socket_.shutdown(StreamSocket::shutdown_send, ignored);
  co_return;
}

}  // namespace egret
