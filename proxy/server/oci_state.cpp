#include "proxy/server/oci_state.h"

#include <array>
#include <cerrno>
#include <limits>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace egret {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& object, std::string_view name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string()
             ? found->get<std::string>()
             : std::string();
}

}  // namespace

Result<OciState, SetupFault> read_oci_state(std::string_view json) {
  if (json.size() > oci_state_bytes_max) return SetupFault{"the container's state is too long", {}};
  const Json state = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!state.is_object()) return SetupFault{"the container's state is not a JSON object", {}};
  OciState out;
  out.id = text_at(state, "id");
  if (out.id.empty()) return SetupFault{"the container's state has no id", {}};
  const auto pid = state.find("pid");
  if (pid == state.end() || !pid->is_number_integer() || pid->get<std::int64_t>() <= 0 ||
      pid->get<std::int64_t>() > std::numeric_limits<pid_t>::max()) {
    return SetupFault{"the container has no process yet: the hook belongs to createRuntime", {}};
  }
  out.pid = pid->get<pid_t>();
  const auto annotations = state.find("annotations");
  if (annotations != state.end()) out.sandbox = text_at(*annotations, sandbox_annotation);
  if (out.sandbox.empty()) {
    return SetupFault{
        "the container has no annotation " + std::string(sandbox_annotation) + "=NAME", {}};
  }
  return out;
}

Result<OciState, SetupFault> receive_oci_state(int descriptor) {
  std::string text;
  std::array<char, 4096> piece;
  while (text.size() <= oci_state_bytes_max) {
    const ssize_t n = ::read(descriptor, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_fault("cannot read the container's state", errno);
    if (n == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return read_oci_state(text);
}

}  // namespace egret
