// What a service manager wants to hear from its service: sd_notify(3) of systemd and of others that
// speak its protocol. One datagram a message; nobody to tell is no error.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace egret {

// A value: whoever has a copy may speak, from any thread.
class ServiceManager {
 public:
  ServiceManager() = default;  // nobody to tell
  // Takes NOTIFY_SOCKET out of the environment: no program of ours may speak in our name. REQUIRES:
  // no other thread yet.
  static ServiceManager from_environment();
  // `socket`: an absolute path, or `@name` for an abstract one; anything else is nobody.
  explicit ServiceManager(std::string socket);

  // False: there is a manager and it could not be told.
  bool ready(std::string_view status) const;
  bool reloading() const;
  bool stopping() const;

 private:
  bool send(const std::string& message) const;
  std::string socket_;
};

// The messages' text. A status is one line: what would start another one becomes a space.
std::string ready_message(std::string_view status);
std::string reloading_message(std::chrono::microseconds monotonic);

}  // namespace egret
