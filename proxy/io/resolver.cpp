#include "proxy/io/resolver.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <ares.h>
#include <boost/asio/redirect_error.hpp>

namespace egret {
namespace {

using Clock = std::chrono::steady_clock;
using Answer = Result<std::vector<IpAddress>, ResolveFault>;

constexpr std::chrono::seconds keep_max{60};
constexpr std::chrono::seconds keep_failure{2};
constexpr std::size_t names_kept_max = 4096;
constexpr int timeout_ms = 2500;
constexpr int tries = 2;

IpAddress address_of(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  IpAddress::Bytes bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return IpAddress::v6(bytes);
}

ResolveFault fault_of(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
      return ResolveFault::no_such_name;
    case ARES_ETIMEOUT:
      return ResolveFault::timed_out;
    default:
      return ResolveFault::failed;
  }
}

}  // namespace

// The c-ares channel with its sockets on the worker's context. Shared with the handlers that wait
// on those sockets, so that a late one finds it still there.
class Resolver::Channel : public std::enable_shared_from_this<Channel> {
 public:
  explicit Channel(asio::io_context& context) : context_(context), timer_(context) {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    if (library != ARES_SUCCESS) throw std::runtime_error("c-ares cannot be initialised");
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = timeout_ms;
    options.tries = tries;
    options.ndomains = 0;
    char lookups[] = "b";
    options.lookups = lookups;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Channel*>(self)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS |
                     ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
      throw std::runtime_error("the DNS resolver cannot be set up; is /etc/resolv.conf readable?");
    }
  }

  ~Channel() { stop(); }

  void stop() {
    if (channel_ == nullptr) return;
    ares_channel channel = std::exchange(channel_, nullptr);
    ares_destroy(channel);
    watched_.clear();
  }

  Task<Answer> resolve(std::string name) {
    if (const auto found = names_.find(name); found != names_.end()) {
      if (found->second->done && Clock::now() < found->second->until)
        co_return found->second->answer;
      if (found->second->done) names_.erase(found);
    }
    std::shared_ptr<Name> entry;
    if (const auto found = names_.find(name); found != names_.end()) {
      entry = found->second;
    } else {
      if (names_.size() >= names_kept_max) names_.clear();
      entry = std::make_shared<Name>(context_);
      names_.emplace(name, entry);
      query(name, entry);
    }
    const auto self = shared_from_this();
    while (!entry->done) {
      error_code ignored;
      co_await entry->changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (channel_ == nullptr) co_return ResolveFault::failed;
    }
    co_return entry->answer;
  }

 private:
  struct Name {
    explicit Name(asio::io_context& context) : changed(context, Clock::time_point::max()) {}
    bool done = false;
    Clock::time_point until;
    Answer answer = ResolveFault::failed;
    asio::steady_timer changed;
  };
  struct Asked {
    std::weak_ptr<Channel> channel;
    std::shared_ptr<Name> name;
  };
  struct Watched {
    explicit Watched(asio::io_context& context, int fd) : descriptor(context, fd) {}
    ~Watched() {
      if (descriptor.is_open()) descriptor.release();  // c-ares closes it
    }
    asio::posix::stream_descriptor descriptor;
    bool reading = false, writing = false, want_read = false, want_write = false;
  };

  void query(const std::string& name, const std::shared_ptr<Name>& entry) {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_socktype = SOCK_STREAM;
    auto* asked = new Asked{weak_from_this(), entry};
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Channel::answered, asked);
    arm();
  }

  static void answered(void* argument, int status, int, ares_addrinfo* info) {
    const std::unique_ptr<Asked> asked(static_cast<Asked*>(argument));
    Name& name = *asked->name;
    std::chrono::seconds keep = keep_failure;
    std::vector<IpAddress> addresses;
    if (status == ARES_SUCCESS && info != nullptr) {
      keep = keep_max;
      for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
        if (addresses.size() > addresses_max) break;
        const IpAddress address = address_of(node->ai_addr);
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
          addresses.push_back(address);
        keep = std::min(keep, std::chrono::seconds(std::max(node->ai_ttl, 0)));
      }
    }
    if (info != nullptr) ares_freeaddrinfo(info);
    if (addresses.empty()) {
      name.answer = fault_of(status == ARES_SUCCESS ? ARES_ENODATA : status);
    } else if (addresses.size() > addresses_max) {
      name.answer = ResolveFault::failed;
    } else {
      name.answer = std::move(addresses);
    }
    name.done = true;
    name.until = Clock::now() + keep;
    name.changed.cancel();
  }

  void watch(ares_socket_t fd, bool readable, bool writable) {
    if (!readable && !writable) {
      // c-ares is about to close it, and may get the same number for its next socket at once. What
      // still waits on the old one has to let go now: later it would let go of the new one.
      if (const auto found = watched_.find(fd); found != watched_.end()) {
        found->second->descriptor.release();
        watched_.erase(found);
      }
      return;
    }
    auto& slot = watched_[fd];
    if (!slot) slot = std::make_shared<Watched>(context_, fd);
    slot->want_read = readable;
    slot->want_write = writable;
    wait(fd, slot);
  }

  void wait(ares_socket_t fd, const std::shared_ptr<Watched>& slot) {
    using Descriptor = asio::posix::stream_descriptor;
    if (slot->want_read && !slot->reading) {
      slot->reading = true;
      slot->descriptor.async_wait(Descriptor::wait_read,
                                  [self = shared_from_this(), slot, fd](const error_code& error) {
                                    slot->reading = false;
                                    if (!error) self->process(fd, ARES_SOCKET_BAD, slot);
                                  });
    }
    if (slot->want_write && !slot->writing) {
      slot->writing = true;
      slot->descriptor.async_wait(Descriptor::wait_write,
                                  [self = shared_from_this(), slot, fd](const error_code& error) {
                                    slot->writing = false;
                                    if (!error) self->process(ARES_SOCKET_BAD, fd, slot);
                                  });
    }
  }

  void process(ares_socket_t readable, ares_socket_t writable,
               const std::shared_ptr<Watched>& slot) {
    if (channel_ == nullptr) return;
    ares_process_fd(channel_, readable, writable);
    const ares_socket_t fd = readable != ARES_SOCKET_BAD ? readable : writable;
    if (const auto found = watched_.find(fd); found != watched_.end() && found->second == slot)
      wait(fd, slot);
    arm();
  }

  // c-ares' own timeouts.
  void arm() {
    timeval limit{};
    if (channel_ == nullptr || ares_timeout(channel_, nullptr, &limit) == nullptr) return;
    timer_.expires_after(std::chrono::seconds(limit.tv_sec) +
                         std::chrono::microseconds(limit.tv_usec) + std::chrono::milliseconds(1));
    timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->channel_ == nullptr) return;
      ares_process_fd(self->channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      self->arm();
    });
  }

  asio::io_context& context_;
  asio::steady_timer timer_;
  ares_channel channel_ = nullptr;
  std::unordered_map<ares_socket_t, std::shared_ptr<Watched>> watched_;
  std::unordered_map<std::string, std::shared_ptr<Name>> names_;
};

Resolver::Resolver(asio::io_context& context) : channel_(std::make_shared<Channel>(context)) {}
Resolver::~Resolver() {
  channel_->stop();
}

Task<Answer> Resolver::resolve(Host host) {
  if (host.is_address()) co_return std::vector<IpAddress>{*host.address()};
  co_return co_await channel_->resolve(host.text());
}

}  // namespace egret
