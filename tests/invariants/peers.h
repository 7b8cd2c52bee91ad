// The two ends that a gate stands between, as blocking sockets on loopback: an origin that keeps
// what it gets, and a client that may send any bytes.
#pragma once

#include <arpa/inet.h>
#include <csignal>
#include <cstdint>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/certs/zoo.h"

namespace egret::test {

// A blocking byte stream, plain or TLS. Gives up after ten seconds of silence.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  }
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool accept_tls(SSL_CTX* context) { return begin(context) && SSL_accept(ssl_.get()) == 1; }
  // The alert that refused it, or 0 where the handshake succeeded, or -1.
  int connect_tls(SSL_CTX* context, const std::string& name) {
    if (!begin(context)) return -1;
    if (!name.empty()) {  // SSL_set_tlsext_host_name, without its C cast
      std::string sni = name;
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data());
    }
    ERR_clear_error();
    if (SSL_connect(ssl_.get()) == 1) return 0;
    const int reason = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return reason >= SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : -1;
  }
  SSL* ssl() const { return ssl_.get(); }

  void send(const std::string& bytes) {
    if (ssl_) {
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    } else {
      ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
  }
  // Empty at the end, or after too long a silence.
  std::string receive() {
    char piece[4096];
    const long got =
        ssl_ ? SSL_read(ssl_.get(), piece, sizeof piece) : ::recv(fd_, piece, sizeof piece, 0);
    return got > 0 ? std::string(piece, static_cast<std::size_t>(got)) : std::string();
  }
  std::string receive_all() {
    std::string all;
    for (std::string piece = receive(); !piece.empty(); piece = receive())
      all += piece;
    return all;
  }
  // One message with its Content-Length body; empty where none came.
  std::string receive_message() {
    for (;;) {
      const std::size_t end = waiting_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t whole = end + 4 + body_bytes(waiting_.substr(0, end + 2));
        if (waiting_.size() >= whole) {
          const std::string message = waiting_.substr(0, whole);
          waiting_.erase(0, whole);
          return message;
        }
      }
      const std::string piece = receive();
      if (piece.empty()) return {};
      waiting_ += piece;
    }
  }

 private:
  static std::size_t body_bytes(const std::string& head) {
    const std::size_t at = head.find("content-length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
  }
  bool begin(SSL_CTX* context) {
    ssl_ = SslPtr{SSL_new(context)};
    return ssl_ && SSL_set_fd(ssl_.get(), fd_) == 1;
  }
  int fd_;
  SslPtr ssl_;
  std::string waiting_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

inline int connected(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// A small root and the certificates it gives out.
struct Root {
  Made made = make(ca_recipe("root of the tests"));
  Made certificate_for(const std::string& names) const {
    Recipe recipe = leaf_recipe(names);
    recipe.extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, "serverAuth"}};
    return make(recipe, &made);
  }
};

inline std::string ok(const std::string& body = "fine") {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Port 0 of loopback. Answers each request with what `answer` says; nothing: never.
class Origin {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit Origin(
      Answer answer = [](const std::string&) { return ok(); }, const Made* shown = nullptr)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (shown != nullptr) {
      context_ = ContextPtr{SSL_CTX_new(TLS_server_method())};
      must(SSL_CTX_use_certificate(context_.get(), shown->certificate.get()) == 1, "certificate");
      must(SSL_CTX_use_PrivateKey(context_.get(), shown->key.get()) == 1, "key");
    }
    sockaddr_in address = loopback(0);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 64) == 0);
    socklen_t bytes = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Origin() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_)
        ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& server : servers_)
      server.join();
    ::close(listener_);
  }
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  std::uint16_t port() const { return port_; }
  std::size_t connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
  }
  // Whole messages as they came, bytes of the application only.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      ++connections_;
      open_.push_back(fd);
      servers_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    Peer peer(fd);
    if (!context_ || peer.accept_tls(context_.get())) {
      for (;;) {
        const std::string request = peer.receive_message();
        if (request.empty()) break;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        const std::string answer = answer_(request);
        if (!answer.empty()) peer.send(answer);
      }
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    peer.close();
  }

  Answer answer_;
  int listener_;
  std::uint16_t port_ = 0;
  ContextPtr context_;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::vector<std::thread> servers_;
  std::vector<int> open_;
  std::size_t connections_ = 0;
  std::vector<std::string> requests_;
};

}  // namespace egret::test
