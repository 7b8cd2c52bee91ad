#include "proxy/session/listener.h"

#include <cerrno>
#include <exception>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/redirect_error.hpp>

namespace egret {
namespace {

constexpr std::chrono::milliseconds back_off{200};
constexpr unsigned accepts_a_turn = 64;

// Errors of one connection, not of the listener (accept(2)).
bool is_passing(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
         error == EHOSTUNREACH || error == ENETUNREACH || error == EPERM || error == ETIMEDOUT;
}

Task<void> pause(Worker& worker) {
  asio::steady_timer timer(worker.context(), back_off);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

void spawn_on(Worker& worker, Task<void> task) {
  asio::co_spawn(worker.context(), std::move(task), [&worker](std::exception_ptr thrown) {
    if (!thrown) return;
    GateRecord record;
    record.time = std::chrono::system_clock::now();
    record.what = "limit";
    record.detail = "a connection was ended by an internal error";
    std::string body;
    render(record, body);
    worker.record_end(std::move(body));
  });
}

ListeningSocket::ListeningSocket(Worker& worker, SharedFd fd, AttachmentPartPtr part)
    : fd_(std::move(fd)), part_(std::move(part)), descriptor_(worker.context(), fd_->get()) {
  if (part_) part_->add(*this);
}

ListeningSocket::~ListeningSocket() {
  if (part_) part_->remove(*this);
  descriptor_.release();
}

void ListeningSocket::detached() {
  error_code ignored;
  descriptor_.cancel(ignored);
}

Task<bool> ListeningSocket::readable() {
  error_code error;
  co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                                  asio::redirect_error(asio::use_awaitable, error));
  co_return !error && !ended();
}

Task<void> accept_loop(Worker& worker, SharedFd fd, OnAccept on_accept, AttachmentPartPtr part) {
  ListeningSocket listener(worker, std::move(fd), std::move(part));
  for (unsigned turn = 1; !listener.ended(); ++turn) {
    if (turn % accepts_a_turn == 0) co_await asio::post(worker.context(), asio::use_awaitable);
    sockaddr_storage peer{};
    socklen_t peer_bytes = sizeof peer;
    const int accepted = ::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&peer), &peer_bytes,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      if (peer.ss_family != AF_UNIX) {
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      const int family = peer.ss_family == 0 ? AF_UNIX : peer.ss_family;
      error_code error;
      StreamSocket socket(worker.context());
      socket.assign(asio::generic::stream_protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP),
                    accepted, error);
      if (error) {
        ::close(accepted);
      } else {
        on_accept(std::move(socket));
      }
      continue;
    }
    if (is_passing(errno)) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const bool more = co_await listener.readable();
      if (!more) co_return;
      continue;
    }
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) co_return;
    co_await pause(worker);
  }
}

void listen_on(Worker& worker, SharedFd fd, std::shared_ptr<const ListenerFacts> facts,
               AttachmentPartPtr part) {
  OnAccept on_accept = [&worker, facts, part](StreamSocket socket) {
    spawn_on(worker, serve_connection(worker, facts, std::move(socket), part));
  };
  spawn_on(worker, accept_loop(worker, std::move(fd), std::move(on_accept), std::move(part)));
}

}  // namespace egret
