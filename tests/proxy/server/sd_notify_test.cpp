#include "proxy/server/sd_notify.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "policy/unique_fd.h"
#include "tests/certs/temporary_directory.h"

using namespace egret;
using namespace egret::test;
using namespace std::chrono_literals;

namespace {

// What systemd has: a datagram socket with a name, `@` for an abstract one.
class Manager {
 public:
  explicit Manager(const std::string& name)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  }

  std::string heard() const {
    char message[1024];
    const ssize_t got = ::recv(fd_.get(), message, sizeof message, 0);
    return got < 0 ? "nothing" : std::string(message, static_cast<std::size_t>(got));
  }

 private:
  UniqueFd fd_;
};

}  // namespace

TEST_CASE("a manager hears of being ready, reloading and stopping, at a path or an abstract name") {
  const TemporaryDirectory directory;
  const std::string abstract = "@egret-test-" + std::to_string(::getpid());
  for (const std::string& name : {directory / "notify", abstract}) {
    CAPTURE(name);
    const Manager manager(name);
    const ServiceManager speaker{name};
    CHECK(speaker.ready("2 sandboxes"));
    CHECK(manager.heard() == "READY=1\nSTATUS=2 sandboxes");
    CHECK(speaker.reloading());
    CHECK(manager.heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(speaker.stopping());
    CHECK(manager.heard() == "STOPPING=1");
    CHECK(manager.heard() == "nothing");
  }
}

TEST_CASE("the manager's socket is taken out of the environment") {
  const TemporaryDirectory directory;
  const Manager manager(directory / "notify");
  ::setenv("NOTIFY_SOCKET", (directory / "notify").c_str(), 1);
  const ServiceManager speaker = ServiceManager::from_environment();
  CHECK(std::getenv("NOTIFY_SOCKET") == nullptr);
  CHECK(speaker.stopping());
  CHECK(manager.heard() == "STOPPING=1");
}

TEST_CASE("where there is no manager nothing is said; one that is gone is noticed") {
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(ServiceManager::from_environment().ready("x"));
  CHECK(ServiceManager().stopping());
  for (const std::string& name : {std::string(), std::string("/"), std::string("relative"),
                                  std::string("vsock:2:9"), "/" + std::string(200, 'x')}) {
    CAPTURE(name);
    CHECK(ServiceManager(name).stopping());
  }
  const TemporaryDirectory directory;
  CHECK_FALSE(ServiceManager(directory / "nobody").ready("x"));
}

TEST_CASE("a status is one line, so that nothing in it becomes another message") {
  using std::string_literals::operator""s;
  CHECK(ready_message("a\nSTOPPING=1\r\0b"s) == "READY=1\nSTATUS=a STOPPING=1  b");
  CHECK(ready_message(std::string(2000, 'x')).size() < 600);
  CHECK(reloading_message(1500us) == "RELOADING=1\nMONOTONIC_USEC=1500");
}
