#include "proxy/wire/message.h"

namespace egret {

std::string_view name(Version version) {
  switch (version) {
    case Version::http10:
      return "1.0";
    case Version::http11:
      return "1.1";
    case Version::http2:
      return "2";
  }
  return "1.1";
}

}  // namespace egret
